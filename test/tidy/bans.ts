// What may be written in its one home only, and what nowhere: calls, modules and texts, each with what to do instead, for the message.
// check.ts applies it; which way imports may go is in rules.ts.

import type { Glob } from './rows.ts';
import { codeFiles, floors } from './rules.ts';

/** Something that may be written in one place only. */
export interface Ban {
  readonly what: string;
  /** Searched in code without comments and string contents. */
  readonly pattern: RegExp;
  readonly within: readonly Glob[];
  readonly homes: readonly Glob[];
  readonly instead: string;
}

/** A text that no tracked file may hold. */
export interface ForbiddenText {
  readonly what: string;
  /** Searched in whole lines, comments and strings included. */
  readonly pattern: RegExp;
  readonly files: readonly Glob[];
  readonly instead: string;
}

const clockHomes: readonly Glob[] = ['*/clock.ts', '*/main.ts', 'control/web/browser.ts'];
const clockInstead = 'take the clock of clock.ts as a value (`clock.now()`, `clock.wait(ms, { signal })`)';

/** Modules whose import is the same as a banned call. */
export const bannedModules: readonly { readonly module: RegExp; readonly homes: readonly Glob[]; readonly instead: string }[] =
  [
    { module: /^node:process$/, homes: ['*/main.ts'], instead: 'let main.ts read the process and pass the value in' },
    { module: /^node:(timers|perf_hooks)(\/|$)/, homes: clockHomes, instead: clockInstead },
    { module: /^node:console$/, homes: [], instead: 'log through the injected Logger of log.ts' },
  ];

/** Names that are banned outside their one home. */
export const bans: readonly Ban[] = [
  {
    what: 'reads the clock',
    pattern: /(?<![.\w$])(?:Date\.now|performance\.now)\b|\bnew\s+Date\b(?!\s*\(\s*[^\s)])/g,
    within: floors,
    homes: clockHomes,
    instead: clockInstead,
  },
  {
    what: 'sets a timer',
    pattern: /(?<![.\w$])(?:globalThis\s*\.\s*)?(?:setTimeout|setInterval)\s*\(/g,
    within: floors,
    homes: clockHomes,
    instead: clockInstead,
  },
  {
    what: 'draws randomness',
    // A function that is handed in may carry the same name; what counts is node:crypto's own.
    pattern:
      /\bMath\s*\.\s*random\b|\b(?:web)?crypto\s*\.\s*(?:random\w+|getRandomValues)\b|\bimport\s*\{[^}]*\b(?:random(?:Bytes|UUID|Int|FillSync|Fill)|getRandomValues)\b[^}]*\}\s*from/gi,
    within: floors,
    homes: ['*/random.ts', '*/clock.ts', '*/main.ts', 'control/web/browser.ts'],
    instead: 'take a random function as a value: main.ts or random.ts is where it comes from',
  },
  {
    what: 'reads the process',
    pattern: /(?<![.\w$])(?:globalThis\s*\.\s*)?process\s*(?:\.|\[|\?\.)/g,
    within: floors,
    homes: ['*/main.ts', 'control/cli/**', 'control/bundle/package.ts'],
    instead: 'let main.ts read the process and pass the value in',
  },
  {
    what: 'reads the process beyond its output streams',
    pattern: /(?<![.\w$])(?:globalThis\s*\.\s*)?process\s*(?:\[|\?\.|\.(?!\s*(?:stdout|stderr)\b))/g,
    within: ['control/cli/**'],
    homes: ['control/cli/demo/app/**'],
    instead: 'let control/main.ts read the process and pass the value in',
  },
  {
    what: 'writes to the console',
    pattern: /(?<![.\w$])console\s*(?:\.|\[)/g,
    within: floors,
    homes: [],
    instead: 'log through the injected Logger of log.ts; the command line writes to process.stdout',
  },
  {
    what: 'waits inside core',
    pattern: /(?<![.\w$])(?:async|await|Promise)\b/g,
    within: ['*/core/**'],
    homes: [],
    instead: 'let the shell await it and pass the result in: what cannot suspend cannot be interleaved',
  },
  {
    what: 'is a barrel',
    pattern: /\bexport\s*\*/g,
    within: ['**'],
    homes: [],
    instead: 'let the reader import from the file that defines it',
  },
  {
    what: 'exports a default',
    pattern: /\bexport\s+default\b|\bexport\s*\{[^}]*\bdefault\b/g,
    within: ['**'],
    homes: ['*.config.ts'],
    instead: 'export it by name',
  },
];

/** Texts that no tracked file may hold. The patterns are spelt so that they do not match themselves. */
export const forbiddenTexts: readonly ForbiddenText[] = [
  {
    what: 'leaves work for later',
    pattern: /\b(?:TO[D]O|FIX[M]E)\b/,
    files: codeFiles,
    instead: 'do it, or write down the known hole where it is and why it stays',
  },
  {
    what: 'names a registry host',
    pattern: /(?:\/\/|["'=@\s])registry\.[a-z0-9-]+\.[a-z]{2,}\b(?!\()|"resolve[d]": "http/,
    files: ['**'],
    instead: 'leave it out: each machine is configured with its own registry',
  },
  {
    what: "names a path of a developer's machine",
    pattern: /(?:^|[\s"'`(=:,])(?:\/(?:home|Users|root|work|workspaces?)\/[A-Za-z0-9._-]|[A-Z]:\\Users\\)/,
    files: ['**'],
    instead: 'use a path relative to the repository, or a temporary directory',
  },
];
