// Each rule of the tidy test on a tree of one or two files: the breach is found, and the nearest clean thing passes.

import { describe, expect, test } from 'vitest';
import { breaches, format, matches } from './check.ts';

const manifest = JSON.stringify({ dependencies: { level: '1', typebox: '1' }, devDependencies: { vitest: '1' } });

/** What the checker says of a tree, given as path → text; each code file gets its opening comment. */
function check(tree: Readonly<Record<string, string>>): readonly string[] {
  const files = Object.entries(tree).map(([path, text]) => ({ path, text: `// What this file holds.\n${text}\n` }));
  return breaches([{ path: 'package.json', text: manifest }, ...files]).map(format);
}

const word = (first: string, second: string): string => first + second;

describe('imports', () => {
  test.each([
    ['proto imports a floor', 'proto/a.ts', "import { b } from '../daemon/errors.ts';", 'may not import daemon/errors.ts'],
    ['proto imports a node module', 'proto/a.ts', "import { readFile } from 'node:fs';", 'may not import node:fs'],
    ['proto imports another package', 'proto/a.ts', "import { Level } from 'level';", 'may not import level'],
    ['core imports a package', 'control/core/a.ts', "import type { Level } from 'level';", 'may not import level'],
    ['core imports a node module', 'daemon/core/a.ts', "import { join } from 'node:path';", 'may not import node:path'],
    ['core imports its shell', 'daemon/core/a.ts', "import { E } from '../errors.ts';", 'may not import daemon/errors.ts'],
    ['core imports the other core', 'daemon/core/a.ts', "import { d } from '../../control/core/decide.ts';", 'may not import'],
    ['what is remembered knows who acts on it', 'daemon/core/schedule/state/a.ts', "import type { F } from '../fetch/requesting.ts';", 'may not import'],
    ['serving knows of fetching', 'daemon/core/schedule/serve/a.ts', "import { f } from '../fetch/requesting.ts';", 'may not import'],
    ['a release knows the scheduler', 'daemon/core/release/a.ts', "import type { E } from '../schedule/state/swarm-events.ts';", 'may not import'],
    ['the shell looks into the scheduler', 'daemon/swarm/exchange/a.ts', "import { p } from '../../core/schedule/books/peers.ts';", 'may not import'],
    ['a gate knows what answers', 'control/core/gates/a.ts', "import { h } from '../answers/handle.ts';", 'may not import'],
    ['a store knows who cuts', 'daemon/content/pack/a.ts', "import { w } from '../ingest/walk.ts';", 'may not import'],
    ['a port takes the value of another', 'daemon/swarm/a.ts', "import { S } from '../content/store.ts';", 'only by `import type`'],
    ['a port names an implementation', 'daemon/swarm/a.ts', "import type { P } from '../content/pack/pack.ts';", 'may not import'],
    ['run imports an implementation', 'daemon/run/a.ts', "import { P } from '../content/pack/pack.ts';", 'may not import'],
    ['run takes the value of a port', 'control/run/a.ts', "import { J } from '../journal/journal.ts';", 'only by `import type`'],
    ['http takes the value of a port', 'control/http/a.ts', "import { J } from '../journal/journal.ts';", 'only by `import type`'],
    ['daemon imports control', 'daemon/daemon.ts', "import { x } from '../control/control.ts';", 'may not import control/control.ts'],
    ['control imports daemon', 'control/control.ts', "import { x } from '../daemon/content/store.ts';", 'may not import daemon/content'],
    ['main goes past the composition', 'daemon/main.ts', "import { P } from './content/pack/pack.ts';", 'may not import daemon/content/pack/pack.ts'],
    ['cli imports more of the daemon', 'control/cli/push/push.ts', "import { N } from '../../../daemon/swarm/network.ts';", 'may not import'],
    ['cli imports control by the back door', 'control/cli/a.ts', "import { s } from '../http/server.ts';", 'may not import control/http'],
    ['what a floor shares knows a folder', 'daemon/errors.ts', "import { P } from './content/pack/pack.ts';", 'may not import'],
    ['a daemon command goes past the composition', 'daemon/cli/a.ts', "import { P } from '../content/pack/pack.ts';", 'may not import'],
    ['build imports more of the daemon', 'control/build/a.ts', "import type { N } from '../../daemon/swarm/network.ts';", 'may not import'],
    ['a test leaves the repository', 'test/a.test.ts', "import { x } from '../../elsewhere/x.ts';", 'may not import ../elsewhere/x.ts'],
    ['the configuration imports the program', 'vitest.config.ts', "import { l } from './proto/limits.ts';", 'may not import proto/limits.ts'],
    ['what runs before installation imports the rest', '.ci/a.mjs', "import { l } from '../proto/limits.ts';", 'may not import proto'],
    ['a floor imports a test', 'daemon/content/a.ts', "import { f } from '../../test/fakes/f.ts';", 'may not import test/fakes/f.ts'],
    ['a benchmark imports a test', 'bench/a.ts', "import { f } from '../test/fakes/f.ts';", 'may not import test/fakes/f.ts'],
    ['a re-export crosses a floor', 'proto/a.ts', "export { b } from '../control/errors.ts';", 'may not import control/errors.ts'],
    ['a dynamic import crosses a floor', 'daemon/run/a.ts', "const c = await import('../content/pack/pack.ts');", 'may not import'],
    ['an import for its effect', 'daemon/core/a.ts', "import 'level';", 'may not import level'],
    ['an undeclared package', 'daemon/content/a.ts', "import { x } from 'left-out/part';", 'imports left-out, which package.json'],
    ['a development package in a floor', 'daemon/content/a.ts', "import { x } from 'vitest';", 'a development dependency'],
    ['the process by its module', 'daemon/content/a.ts', "import { env } from 'node:process';", 'may not import node:process'],
    ['timers by their module', 'daemon/content/a.ts', "import { setTimeout } from 'node:timers/promises';", 'may not import node:timers'],
    ['a folder without a row', 'daemon/attic/a.ts', "import { x } from './b.ts';", 'no row of the import table'],
  ])('%s: refused', (_what, path, text, message) => {
    const found = check({ [path]: text });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${path}:2: `);
    expect(found[0]).toContain(message);
  });

  test.each([
    ['proto, a schema library', 'proto/a.ts', "import Type, { type Static } from 'typebox';"],
    ['core, proto and core', 'daemon/core/a.ts', "import { limits } from '../../proto/limits.ts';\nimport { b } from './b.ts';"],
    ['a port, the head of another by type', 'daemon/swarm/a.ts', "import type { S } from '../content/store.ts';"],
    ['a port, itself, errors and packages', 'control/journal/a.ts', "import { E } from '../errors.ts';\nimport { Level } from 'level';"],
    ['run, core and ports by type', 'control/run/a.ts', "import { decide } from '../core/decide.ts';\nimport type { J } from '../journal/journal.ts';"],
    ['the composition root, its whole floor', 'daemon/daemon.ts', "import { P } from './content/pack/pack.ts';"],
    ['a part of the composition root', 'control/control-fleet.ts', "import { J } from './journal/level.ts';"],
    ['main, config and composition', 'control/main.ts', "import { run } from './control.ts';\nimport { parse } from './config.ts';"],
    ['cli, the bridge for cutting trees', 'control/cli/push/push.ts', "import { ingest } from '../../../daemon/content/ingest/ingest.ts';"],
    ['a test, anything', 'test/daemon/a.test.ts', "import { P } from '../../daemon/content/pack/pack.ts';\nimport { test } from 'vitest';"],
    ['words in strings and comments', 'proto/a.ts', "// import { x } from 'level';\nexport const s = \"import x from 'level'\";"],
  ])('%s: allowed', (_what, path, text) => {
    expect(check({ [path]: text })).toEqual([]);
  });

  test('a cycle between files is named once, as a path', () => {
    const found = check({
      'proto/a.ts': "import { b } from './b.ts';",
      'proto/b.ts': "import { c } from './c.ts';",
      'proto/c.ts': "import type { A } from './a.ts';",
    });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('closes a cycle: proto/a.ts → proto/b.ts → proto/c.ts → proto/a.ts');
  });

  test('two ways to one file are no cycle', () => {
    const tree = { 'proto/a.ts': "import './b.ts';\nimport './c.ts';", 'proto/b.ts': "import './c.ts';", 'proto/c.ts': '' };
    expect(check(tree)).toEqual([]);
  });
});

describe('calls', () => {
  test.each([
    ['daemon/run/a.ts', 'const now = Date.now();'],
    ['daemon/run/a.ts', 'const clock = { now: Date.now };'],
    ['daemon/run/a.ts', 'const now = new Date();'],
    ['daemon/run/a.ts', 'const now = new Date;'],
    ['daemon/run/a.ts', 'const t = performance.now();'],
    ['control/core/a.ts', 'const r = Math.random();'],
    ['daemon/run/a.ts', 'const r = crypto.getRandomValues(bytes);'],
    ['daemon/run/a.ts', 'const r = crypto.randomUUID();'],
    ['daemon/run/a.ts', "import { createHash, randomBytes } from 'node:crypto';"],
    ['daemon/run/a.ts', 'const e = process.env;'],
    ['control/cli/a.ts', 'const e = process.env;'],
    ['daemon/run/a.ts', "process.stdout.write('x');"],
    ['control/run/a.ts', "console.log('x');"],
    ['control/cli/a.ts', "console.log('x');"],
    ['daemon/run/a.ts', 'setTimeout(f, 1);'],
    ['daemon/run/a.ts', 'globalThis.setInterval(f, 1);'],
    ['daemon/run/a.ts', 'const s = `at ${Date.now()}`;'],
    ['daemon/core/a.ts', 'export async function f() {}'],
    ['daemon/core/a.ts', 'export type P = Promise<void>;'],
    ['daemon/run/a.ts', "export * from './b.ts';"],
    ['daemon/run/a.ts', 'export default 1;'],
    ['daemon/run/a.ts', 'export { a as default };'],
  ])('%s may not say `%s`', (path, text) => {
    const found = check({ [path]: text });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${path}:2: `);
  });

  test.each([
    ['daemon/clock.ts', 'export const now = () => Date.now();\nexport const later = () => setTimeout(f, 1);'],
    ['daemon/main.ts', 'const e = process.env;'],
    ['daemon/main.ts', "import { argv } from 'node:process';"],
    ['daemon/clock.ts', "import { setTimeout as sleep } from 'node:timers/promises';"],
    ['daemon/main.ts', "import { randomBytes } from 'node:crypto';"],
    ['control/cli/a.ts', "process.stdout.write('x');\nprocess.stderr.write('y');"],
    ['daemon/run/a.ts', 'const d = new Date(now);\nconst e = new Date(`2026`);'],
    ['daemon/run/a.ts', 'const t = clock.setTimeout(f, 1);\nconst p = child.process.pid;'],
    ['daemon/run/a.ts', 'const r = deps.randomBytes(16);\nconst e = { process: 1 };'],
    ['daemon/run/a.ts', "// Date.now()\nconst s = 'process.env' + `console.log ${now}`;"],
    ['daemon/run/a.ts', 'const r = /console.log|process.env/.test(s);'],
    ['daemon/core/a.ts', "export const waiting = 'await';"],
    ['test/a.test.ts', 'const now = Date.now();\nprocess.env.X = 1;\nawait Promise.all([]);'],
    ['vitest.config.ts', 'export default {};'],
  ])('%s may say `%s`', (path, text) => {
    expect(check({ [path]: text })).toEqual([]);
  });
});

describe('files', () => {
  const lines = (count: number): string => `// Many lines.${'\nexport {};'.repeat(count - 1)}\n`;
  const check1 = (path: string, text: string): readonly string[] => breaches([{ path, text }]).map(format);

  test('has a bounded length, tests a little more', () => {
    expect(check1('proto/a.ts', lines(300))).toEqual([]);
    expect(check1('proto/a.ts', lines(301))).toEqual([
      'proto/a.ts:301: has 301 lines: split it by concept: a source file has at most 300',
    ]);
    expect(check1('test/a.ts', lines(400))).toEqual([]);
    expect(check1('test/a.ts', lines(401))).toHaveLength(1);
  });

  test('opens with a comment, after #! if there is one', () => {
    expect(check1('proto/a.ts', 'export {};\n')).toHaveLength(1);
    expect(check1('proto/a.ts', '/* Says what. */\nexport {};\n')).toEqual([]);
    expect(check1('proto/a.ts', '#!/usr/bin/env node\n// Says what.\n')).toEqual([]);
  });

  test.each(['proto/chunkRef.ts', 'proto/Tree.ts', 'proto/chunk_ref.ts', 'daemon/Run/a.ts', 'proto/-a.ts'])(
    '%s is not kebab-case',
    (path) => {
      expect(check1(path, '// x\n')).toEqual([expect.stringContaining('is not kebab-case')]);
    },
  );

  test.each(['proto/chunk-ref.ts', 'test/e2e/deploy.test.ts', 'vitest.config.ts', '.ci/install.mjs'])(
    '%s is kebab-case',
    (path) => {
      expect(check1(path, '// x\n')).toEqual([]);
    },
  );

  test('leaves no work for later, in comments either', () => {
    expect(check1('proto/a.ts', `// x\n// ${word('TO', 'DO')}: later\n`)).toHaveLength(1);
    expect(check1('proto/a.ts', `// x\n// ${word('FIX', 'ME')}\n`)).toHaveLength(1);
    expect(check1('proto/a.ts', '// x\n// toDo, todos\n')).toEqual([]);
  });

  test('names no registry host and no path of a machine, in any text file', () => {
    expect(check1('README.md', `see https://${word('registry.', 'example.org')}/x`)).toHaveLength(1);
    expect(check1('package-lock.json', `"${word('resol', 'ved')}": "https://example.org/a.tgz"`)).toHaveLength(1);
    expect(check1('README.md', `cd ${word('/ho', 'me/ann')}/starling`)).toHaveLength(1);
    expect(check1('README.md', `cd ${word('C:\\Us', 'ers\\ann')}`)).toHaveLength(1);
    expect(check1('README.md', 'cd /opt/starling; registry.metrics(); data/home/x; see /homework')).toEqual([]);
  });
});

test('breaches come sorted by file and line, as file:line: what: what to do', () => {
  const found = check({ 'proto/b.ts': 'x = Math.random();', 'proto/a.ts': '\nx = Math.random();\ny = Date.now();' });
  expect(found.map((line) => line.split(': ')[0])).toEqual(['proto/a.ts:3', 'proto/a.ts:4', 'proto/b.ts:2']);
  expect(found[1]).toMatch(/^proto\/a\.ts:4: reads the clock \(`Date\.now`\): take the clock of clock\.ts as a value/);
});

test.each([
  ['*/main.ts', 'daemon/main.ts', true],
  ['*/main.ts', 'daemon/cli/main.ts', false],
  ['daemon/**', 'daemon/a/b.ts', true],
  ['daemon/**', 'daemonic/b.ts', false],
  ['**/*.ts', 'a.ts', true],
  ['**/*.ts', 'a/b/c.ts', true],
  ['**/*.ts', 'a.tsx', false],
  ['daemon/daemon-*.ts', 'daemon/daemon-swarm.ts', true],
  ['*.config.ts', 'vitest.config.ts', true],
  ['*.config.ts', 'vitest-config.ts', false],
])('matches(%j, %j) is %j', (glob, path, expected) => {
  expect(matches(glob, path)).toBe(expected);
});
