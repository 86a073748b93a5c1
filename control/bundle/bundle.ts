// Makes what a browser loads out of control/web: scripts and styles under names that carry their hash, and the one page that names
// them. Serving it is control/http/pages.ts's; nothing is written to disk here.

import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { operations } from '../../proto/api/operations.ts';
import { ControlError } from '../errors.ts';

/** One file as it is sent. */
export interface WebFile {
  readonly type: string;
  readonly plain: Buffer;
  /** The same, smaller; for those who take it. */
  readonly gzip: Buffer;
  readonly brotli: Buffer;
}

/** The user interface. */
export interface WebBundle {
  /** The page: the same for every address of the interface. */
  readonly page: WebFile;
  /** By name, such as `main-4JHX2K7Q.js`. */
  readonly assets: ReadonlyMap<string, WebFile>;
  /** Names of what is loaded before anything is shown, in the order of loading. */
  readonly first: readonly string[];
}

const types: Readonly<Record<string, string>> = { js: 'text/javascript; charset=utf-8', css: 'text/css; charset=utf-8', svg: 'image/svg+xml' };
/** Made while somebody waits: the last percent would take longer to make than to send. */
const brotliQuality = 5;

const source = (path: string): string => fileURLToPath(new URL(`../web/${path}`, import.meta.url));

/**
 * Bundles control/web; about a quarter of a second.
 * @throws {ControlError} FAILED when it cannot be made of what is installed.
 */
export async function bundleWeb(): Promise<WebBundle> {
  // Only who opens the interface pays for the bundler, which is a program of its own.
  const esbuild = await import('esbuild');
  try {
    const { outputFiles, metafile } = await esbuild.build({
      entryPoints: { main: source('main.tsx'), style: source('style.css') },
      bundle: true,
      splitting: true,
      format: 'esm',
      target: ['chrome111', 'firefox121', 'safari16.4'],
      platform: 'browser',
      minify: true,
      jsx: 'automatic',
      jsxImportSource: 'preact',
      // The browser needs of the operations where they are, not what they take: the schemas would be most of what it loads.
      define: { operationPlaces: JSON.stringify(places()) },
      entryNames: '[name]-[hash]',
      chunkNames: 'part-[hash]',
      outdir: 'assets',
      write: false,
      metafile: true,
      legalComments: 'none',
      logLevel: 'silent',
    });
    const assets = new Map(outputFiles.map(({ path, contents }) => [nameOf(path), webFile(nameOf(path), Buffer.from(contents))]));
    const entry = (name: string): string => [...assets.keys()].find((one) => one.startsWith(name)) ?? name;
    const main = entry('main-');
    const output = Object.entries(metafile.outputs).find(([path]) => nameOf(path) === main)?.[1];
    const first = [main, ...(output?.imports ?? []).filter(({ kind }) => kind === 'import-statement').map(({ path }) => nameOf(path))];
    return { page: webFile('index.html', Buffer.from(page(entry('style-'), first))), assets, first };
  } catch (cause) {
    throw new ControlError('FAILED', `the user interface could not be made: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  } finally {
    await esbuild.stop();
  }
}

/** Method and path of each operation, and whether it takes a version. */
function places(): Readonly<Record<string, readonly [method: string, path: string]>> {
  return Object.fromEntries(Object.entries(operations).map(([id, { method, path }]) => [id, [method, path]]));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}

function webFile(name: string, plain: Buffer): WebFile {
  return {
    type: types[name.slice(name.lastIndexOf('.') + 1)] ?? 'text/html; charset=utf-8',
    plain,
    gzip: gzipSync(plain),
    brotli: brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: brotliQuality } }),
  };
}

/** The bird, so that no browser asks for an icon that is not there. */
const icon = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect width="16" height="16" rx="3" fill="#0b5c6b"/><path d="M2 9c3 0 4-4 7-4 2 0 3 1 5 1-1 1-2 1-2 3 0 3-3 4-5 4 1-1 1-2 0-3-2 0-4 0-5-1z" fill="#fff"/></svg>`;
export const iconFile: WebFile = webFile('icon.svg', Buffer.from(icon));

function page(style: string, [main, ...rest]: readonly string[]): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Starling</title>
<link rel="icon" href="/assets/icon.svg">
<link rel="stylesheet" href="/assets/${style}">
${rest.map((name) => `<link rel="modulepreload" href="/assets/${name}">\n`).join('')}<script type="module" src="/assets/${main}"></script>
</head>
<body><div id="app"></div><noscript>The user interface needs JavaScript. The command line does not: starling --help</noscript></body>
</html>
`;
}
