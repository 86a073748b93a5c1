// The rows that the tables of both floors are made of (daemon-rows.ts, control-rows.ts): what a port may know, what a folder that uses ports,
// and the files that lie directly on a floor.

/** Matches paths from the repository's root: `*` within one name, `**` across folders. */
export type Glob = string;

/** What the files of one folder may import. The first row that matches a file decides. */
export interface ImportRow {
  readonly files: readonly Glob[];
  /** Files of this repository that any import may name. */
  readonly may: readonly Glob[];
  /** Files that only `import type` may name. */
  readonly mayType: readonly Glob[];
  /** Packages, or every one that package.json declares. */
  readonly packages: readonly string[] | 'declared';
  /** Whether `node:` modules may be imported. */
  readonly node: boolean;
  /** What to do instead, for the message. */
  readonly instead: string;
}

/** Of the scheduler the rest of the daemon knows the step, the words for it, and the account of a fetch. */
const daemonCoreOpen: readonly Glob[] = [
  'daemon/core/rate.ts',
  'daemon/core/roster/**',
  'daemon/core/delta/**',
  'daemon/core/release/**',
  'daemon/core/schedule/schedule.ts',
  'daemon/core/schedule/state/swarm-events.ts',
  'daemon/core/schedule/fetch/fetch-account.ts',
];

/** What the shell of a floor may know of its core. */
export function openCore(floor: string): readonly Glob[] {
  return floor === 'daemon' ? daemonCoreOpen : [`${floor}/core/**`];
}

/** What every file of a floor but its core may import: the floor's own small vocabulary. */
export function commons(floor: string): readonly Glob[] {
  return ['errors', 'log', 'clock', 'loop', 'random', 'metrics', 'outbound', 'config', 'node-http', 'config-rates', 'config-channels', 'config-origins'].map((name) => `${floor}/${name}.ts`);
}

const noImplementation =
  'take the port as a value and name its interface by `import type` from the head file of its folder; the composition root hands over the implementation';

/** One row for each port folder of a floor. */
export function portRows(floor: string, ports: Readonly<Record<string, readonly Glob[]>>): readonly ImportRow[] {
  return Object.keys(ports).map((folder) => ({
    files: [`${folder}/**`],
    may: ['proto/**', ...openCore(floor), `${folder}/**`, ...commons(floor)],
    mayType: Object.values(ports).flat(),
    packages: 'declared',
    node: true,
    instead: noImplementation,
  }));
}

/** A folder that uses ports without being one. */
export function shellRow(floor: string, folder: string, ports: Readonly<Record<string, readonly Glob[]>>, also: readonly Glob[] = []) {
  return {
    files: [`${folder}/**`],
    may: ['proto/**', ...openCore(floor), `${folder}/**`, ...commons(floor)],
    mayType: [...Object.values(ports).flat(), ...also],
    packages: 'declared',
    node: true,
    instead: noImplementation,
  } satisfies ImportRow;
}

/** Rows of the files that lie directly on a floor, and of its core. */
export function floorRows(floor: string): readonly ImportRow[] {
  const root = `${floor}/${floor}.ts`;
  return [
    {
      files: [`${floor}/core/**`],
      may: ['proto/**', `${floor}/core/**`],
      mayType: [],
      packages: [],
      node: false,
      instead: 'keep core pure: let the shell await it and pass the result in as a value',
    },
    {
      files: commons(floor),
      may: ['proto/**', ...commons(floor)],
      mayType: [`${floor}/core/**`],
      packages: 'declared',
      node: true,
      instead: 'move it to the folder that needs it: what the whole floor shares may not know the folders',
    },
    {
      files: [`${floor}/main.ts`],
      may: [root, `${floor}/${floor}-*.ts`, `${floor}/cli/**`, 'proto/**', ...commons(floor)],
      mayType: [],
      packages: 'declared',
      node: true,
      instead: `let ${root} compose it: main reads the process and hands over values`,
    },
    {
      // The composition root, and the parts that it is cut into when it outgrows one file.
      files: [root, `${floor}/${floor}-*.ts`],
      may: ['proto/**', `${floor}/**`],
      mayType: [],
      packages: 'declared',
      node: true,
      instead: 'talk to the other floor through proto/, over the wire',
    },
  ];
}
