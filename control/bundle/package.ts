// Makes the programs as a machine gets them: each bundled into a few files, with nothing to install beside them but the runtime. A bundle starts in a
// third of the processor time of the sources and takes a third less memory, because a daemon is 1,800 modules otherwise. Run: `npm run package -- DIR`.
//
// Paths stay those of the repository (`daemon/main.mjs`, `control/main.mjs`), so that a program finds the others beside it as it does in a checkout. Signing
// and the archive that a distribution wants are not made here; `starling demo` belongs to a checkout, since it deploys one.

import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { bundleWeb, iconFile, type WebFile } from './bundle.ts';
import { runtimeOptions } from './runtime-options.ts';

const root = resolve(import.meta.dirname, '../..');
/** What is started by its path: programs, and what the daemon starts as a process or a thread. */
const entries = ['daemon/main.ts', 'control/main.ts', 'daemon/install/service/front.ts', 'daemon/delta/worker.ts'] as const;
/** The runtime for which the bundles are written. */
const nodeMajor = 24;
/** Names on the search path, and what they start. */
const commands = { starlingd: 'daemon/main.mjs', starling: 'control/main.mjs' } as const;

/** Writes the programs for this platform into `directory`, which must not exist; about five seconds. @throws {Error} of esbuild, or EEXIST. */
export async function packageInto(directory: string): Promise<void> {
  const outdir = resolve(directory);
  await mkdir(outdir);
  await build({
    absWorkingDir: root,
    entryPoints: [...entries],
    outdir,
    outbase: '.',
    outExtension: { '.js': '.mjs' },
    chunkNames: 'lib/[name]-[hash]',
    assetNames: 'lib/[name]-[hash]',
    bundle: true,
    // What a command does not need stays unread.
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: `node${nodeMajor}`,
    // Sources stay in memory as long as the program; names stay, for the stacks in reports of errors.
    minifyWhitespace: true,
    minifySyntax: true,
    loader: { '.node': 'copy' },
    legalComments: 'linked',
    // Modules that were written for `require` still ask for Node's own by it.
    banner: { js: "import { createRequire as requireOf } from 'node:module'; const require = requireOf(import.meta.url);" },
    plugins: [unusedModules, nativeDatabase, besideEntries, ready(await webModule())],
    logLevel: 'error',
  });
  await mkdir(join(outdir, 'bin'));
  for (const [name, program] of Object.entries(commands)) {
    await writeFile(join(outdir, 'bin', name), starterOf(name, program), { mode: 0o755 });
  }
}

/** What looks at the runtime before anything is read that an older one cannot: to read `await using`, it would only say that it is a mistake. */
function starterOf(name: string, program: string): string {
  const refusal = `${name}: Node ${nodeMajor} or newer is needed, and this is \${process.versions.node}: put a newer one first on PATH, or start this file with it`;
  return `#!/usr/bin/env node
if (Number(process.versions.node.split('.')[0]) < ${nodeMajor}) {
  process.stderr.write(\`${refusal}\\n\`);
  process.exit(1);
}
${name === 'starling' ? withRoom : ''}import('../${program}');
`;
}

/** A control plane of ten thousand targets makes much that is short-lived. Options of the runtime can only be given when it starts: the process becomes one that has them. */
const withRoom = `if (process.argv[2] === 'control' && process.execArgv.length === 0 && process.execve !== undefined) {
  process.execve(process.execPath, [process.execPath, ...${JSON.stringify(runtimeOptions('control'))}, ...process.argv.slice(1)], process.env);
}
`;

/** The binary of this platform by its name, where the package looks around in its own folder when it starts. */
const nativeDatabase: Plugin = {
  name: 'native-database',
  setup(bundle) {
    bundle.onLoad({ filter: /classic-level\/binding\.js$/ }, ({ path }) => {
      const find: { path(folder: string): string } = createRequire(path)('node-gyp-build');
      return { contents: `module.exports = require(${JSON.stringify(find.path(dirname(path)))})`, loader: 'js' };
    });
  },
};

/** Ciphers and hashes in WebAssembly, of which the channel's package makes instances as it is loaded; daemon/swarm/libp2p/noise-crypto.ts says what is used. */
const unusedModules: Plugin = {
  name: 'unused-modules',
  setup(bundle) {
    bundle.onResolve({ filter: /^@chainsafe\/as-(chacha20poly1305|sha256)$/ }, ({ path }) => ({ path, namespace: 'unused' }));
    bundle.onLoad({ filter: /.*/, namespace: 'unused' }, () => ({ contents: 'export const newInstance = () => {}; export class ChaCha20Poly1305 {}; export const digest = undefined;', loader: 'js' }));
  },
};

/** `new URL('front.ts', import.meta.url)` names an entry from wherever its code ends up: everything lies one folder deep. */
const besideEntries: Plugin = {
  name: 'beside-entries',
  setup(bundle) {
    bundle.onLoad({ filter: /\/daemon\/.*\.ts$/ }, async ({ path }) => ({
      loader: 'ts',
      contents: (await readFile(path, 'utf8')).replaceAll(/new URL\('([^']+)\.ts', import\.meta\.url\)/g, (_, name: string) => {
        const named = relative(root, join(dirname(path), `${name}.ts`));
        if (!entries.some((entry) => entry === named)) throw new Error(`${path} starts ${named}, which is not among the entries of control/bundle/package.ts`);
        return `new URL('../${named.slice(0, -'.ts'.length)}.mjs', import.meta.url)`;
      }),
    }));
  },
};

/** The user interface as it is served, in the place of what makes it. */
function ready(contents: string): Plugin {
  return { name: 'user-interface', setup: (bundle) => bundle.onLoad({ filter: /\/control\/bundle\/bundle\.ts$/ }, () => ({ contents, loader: 'js' })) };
}

async function webModule(): Promise<string> {
  const { page, assets, first } = await bundleWeb();
  const file = ({ type, plain, gzip, brotli }: WebFile): string => {
    const bytes = (text: Buffer): string => `Buffer.from('${text.toString('base64')}', 'base64')`;
    return `{ type: ${JSON.stringify(type)}, plain: ${bytes(plain)}, gzip: ${bytes(gzip)}, brotli: ${bytes(brotli)} }`;
  };
  const named = [...assets].map(([name, asset]) => `[${JSON.stringify(name)}, ${file(asset)}]`);
  return `export const iconFile = ${file(iconFile)};
export const bundleWeb = async () => ({ page: ${file(page)}, assets: new Map([${named.join(', ')}]), first: ${JSON.stringify(first)} });
`;
}

if (import.meta.main) {
  const directory = process.argv[2];
  if (directory === undefined) throw new Error('usage: npm run package -- DIRECTORY (which must not exist)');
  await packageInto(directory);
}
