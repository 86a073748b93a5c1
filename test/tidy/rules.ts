// The style of this project as data: which way imports may go, and how long a file may be. Each row carries what to do instead,
// for the message. check.ts applies it; what is banned outside its one home is in bans.ts; nothing is decided there.
// A new folder needs a row before its first file, on a floor in daemon-rows.ts or control-rows.ts: that is the moment to say what it may know of.

import { controlRows } from './control-rows.ts';
import { daemonRows } from './daemon-rows.ts';
import type { Glob, ImportRow } from './rows.ts';

/** Lines that a file may have. */
export const lineLimits = { source: 300, test: 400 } as const;

/** Files that are code: parsed for imports and bans. */
export const codeFiles: readonly Glob[] = ['**/*.ts', '**/*.tsx', '**/*.mts', '**/*.mjs', '**/*.js'];

/** The floors, where every rule holds. */
export const floors: readonly Glob[] = ['proto/**', 'daemon/**', 'control/**'];

/** The import table of ARCHITECTURE.md. */
export const importTable: readonly ImportRow[] = [
  {
    // RFC 8785 is a pure function of its argument; both floors and the command line hash the same form.
    files: ['proto/audit-chain.ts'],
    may: ['proto/**'],
    mayType: [],
    packages: ['json-canonicalize'],
    node: false,
    instead: 'what is said knows neither disk nor network: pass bytes and values in',
  },
  {
    files: ['proto/**'],
    may: ['proto/**'],
    mayType: [],
    packages: ['multiformats', '@ipld/dag-cbor', 'typebox', 'yaml'],
    node: false,
    instead: 'what is said knows neither disk nor network: pass bytes and values in',
  },
  ...daemonRows,
  ...controlRows,
  {
    files: ['test/**'],
    may: ['proto/**', 'daemon/**', 'control/**', 'test/**', 'bench/**', '*.json'],
    mayType: [],
    packages: 'declared',
    node: true,
    instead: 'import it by a path inside the repository',
  },
  {
    files: ['bench/**'],
    may: ['proto/**', 'daemon/**', 'control/**', 'bench/**', '*.json'],
    mayType: [],
    packages: 'declared',
    node: true,
    instead: 'move what tests and benchmarks share to bench/',
  },
  {
    files: ['*.config.ts'],
    may: ['test/support/**'],
    mayType: [],
    packages: 'declared',
    node: true,
    instead: 'keep the configuration free of the program',
  },
  {
    files: ['.ci/**'],
    may: ['.ci/**'],
    mayType: [],
    packages: [],
    node: true,
    instead: 'these scripts run before anything is installed: use Node alone',
  },
];

/** Folders whose packages may be devDependencies. */
export const developmentFiles: readonly Glob[] = ['test/**', 'bench/**', '*.config.ts'];
