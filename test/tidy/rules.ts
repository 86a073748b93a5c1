// The style of this project as data: which way imports may go, and how long a file may be. Each row carries what to do instead,
// for the message. check.ts applies it; what is banned outside its one home is in bans.ts; nothing is decided there.
// A new folder needs a row here before its first file: that is the moment to say what it may know of.

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

/** Lines that a file may have. */
export const lineLimits = { source: 300, test: 400 } as const;

/** Files that are code: parsed for imports and bans. */
export const codeFiles: readonly Glob[] = ['**/*.ts', '**/*.tsx', '**/*.mts', '**/*.mjs', '**/*.js'];

/** The floors, where every rule holds. */
export const floors: readonly Glob[] = ['proto/**', 'daemon/**', 'control/**'];

/** Port folders, each with its head files: the interfaces that others may know. A head may not exist yet. */
const daemonPorts = {
  'daemon/content': ['daemon/content/store.ts', 'daemon/content/manifests.ts'],
  'daemon/delta': ['daemon/delta/delta.ts'],
  'daemon/swarm': ['daemon/swarm/network.ts', 'daemon/swarm/swarm.ts'],
  'daemon/upload': ['daemon/upload/upload.ts'],
  'daemon/install': ['daemon/install/installer.ts'],
  'daemon/link': ['daemon/link/link.ts'],
  'daemon/trust': ['daemon/trust/trust.ts'],
} as const;

/** The parts of the daemon's core, each with those that it may know besides itself. The first that matches a file decides. */
const daemonCore: readonly { readonly part: Glob; readonly knows: readonly Glob[] }[] = [
  { part: 'daemon/core/rate.ts', knows: [] },
  { part: 'daemon/core/roster/**', knows: [] },
  { part: 'daemon/core/delta/**', knows: [] },
  { part: 'daemon/core/release/**', knows: [] },
  { part: 'daemon/core/schedule/state/**', knows: ['daemon/core/rate.ts', 'daemon/core/roster/**'] },
  { part: 'daemon/core/schedule/books/**', knows: ['daemon/core/schedule/state/**'] },
  { part: 'daemon/core/schedule/owners/**', knows: ['daemon/core/roster/**', 'daemon/core/schedule/state/**', 'daemon/core/schedule/books/**'] },
  { part: 'daemon/core/schedule/fetch/**', knows: ['daemon/core/schedule/state/**', 'daemon/core/schedule/books/**', 'daemon/core/schedule/owners/**'] },
  { part: 'daemon/core/schedule/serve/**', knows: ['daemon/core/schedule/state/**', 'daemon/core/schedule/books/**'] },
  { part: 'daemon/core/schedule/schedule.ts', knows: ['daemon/core/rate.ts', 'daemon/core/schedule/**'] },
];

function corePartRow({ part, knows }: (typeof daemonCore)[number]): ImportRow {
  return {
    files: [part],
    may: ['proto/**', part, ...knows],
    mayType: [],
    packages: [],
    node: false,
    instead: 'the parts of the core know one another in one direction only (daemonCore in test/tidy/rules.ts), and what they do not know they are given as a value',
  };
}

/** The parts of control/core: each knows those before it, and itself. */
const controlCore: readonly Glob[] = [
  ...['model', 'swarm', 'evolve', 'batches', 'windows', 'gates', 'compliance', 'commands', 'work'].map((folder) => `control/core/${folder}/**`),
  'control/core/effects.ts',
  ...['rollout', 'choice', 'pipeline', 'answers', 'automation'].map((folder) => `control/core/${folder}/**`),
  'control/core/decide.ts',
  ...['explain', 'history', 'forecast'].map((folder) => `control/core/${folder}/**`),
  'control/core/notices.ts',
];

function controlCoreRow(part: Glob, place: number): ImportRow {
  return {
    files: [part],
    may: ['proto/**', ...controlCore.slice(0, place + 1)],
    mayType: [],
    // Zones and calendars are facts about the world that change without us; both packages are pure functions of their arguments.
    packages: part === 'control/core/windows/**' ? ['temporal-polyfill', 'croner'] : [],
    node: false,
    instead: 'keep core pure, and its parts in the order of controlCore in test/tidy/rules.ts: move what two of them need to the one that comes first',
  };
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
function openCore(floor: string): readonly Glob[] {
  return floor === 'daemon' ? daemonCoreOpen : [`${floor}/core/**`];
}

/** A folder within a port's: it knows the files beside it, and of the other folders those that are named. */
function partRow(port: keyof typeof daemonPorts, folder: string, also: readonly Glob[], instead: string): ImportRow {
  return {
    files: [`${port}/${folder}/**`],
    may: ['proto/**', ...openCore('daemon'), `${port}/*.ts`, `${port}/${folder}/**`, ...also, ...commons('daemon')],
    mayType: Object.values(daemonPorts).flat(),
    packages: 'declared',
    node: true,
    instead,
  };
}

const throughNetwork = 'talk through the port, daemon/swarm/network.ts: exchange knows no network, and no network knows the exchange';
const throughStore = 'talk through the port, daemon/content/store.ts: who cuts, who keeps and who builds know nothing of one another; move what they share beside it';

/** What is decided is carried out in `exchange` on the port alone; each network is a folder beside it. */
const swarmRows: readonly ImportRow[] = [
  partRow('daemon/swarm', 'exchange', [], throughNetwork),
  partRow('daemon/swarm', 'bulk', [], throughNetwork),
  partRow('daemon/swarm', 'libp2p', ['daemon/swarm/bulk/**'], throughNetwork),
  partRow('daemon/swarm', 'memory', [], throughNetwork),
];

const contentRows: readonly ImportRow[] = [
  partRow('daemon/content', 'ingest', [], throughStore),
  partRow('daemon/content', 'pack', [], throughStore),
  partRow('daemon/content', 'release', [], throughStore),
  partRow('daemon/content', 'installed', ['daemon/content/release/**'], throughStore),
];

const oneApplication = 'an application (daemon/install/application.ts) has all three: what the machine offers, what is written down, and what runs releases';

const installRows: readonly ImportRow[] = [
  partRow('daemon/install', 'machine', [], oneApplication),
  partRow('daemon/install', 'journal', ['daemon/install/machine/**'], oneApplication),
  partRow('daemon/install', 'service', ['daemon/install/machine/**'], oneApplication),
];

const fromBelow = 'identity comes first, then statements, then TUF (trustRows in test/tidy/rules.ts); what is believed of all three is kept by daemon/trust/file-trust.ts';

const trustRows: readonly ImportRow[] = [
  partRow('daemon/trust', 'identity', [], fromBelow),
  partRow('daemon/trust', 'statements', ['daemon/trust/identity/**'], fromBelow),
  partRow('daemon/trust', 'tuf', ['daemon/trust/identity/**', 'daemon/trust/statements/**'], fromBelow),
];

const controlPorts = {
  'control/journal': ['control/journal/journal.ts'],
  'control/trust': ['control/trust/repository.ts'],
} as const;

/** What every file of a floor but its core may import: the floor's own small vocabulary. */
function commons(floor: string): readonly Glob[] {
  return ['errors', 'log', 'clock', 'loop', 'random', 'metrics', 'outbound', 'config', 'config-rates', 'config-channels', 'config-origins'].map((name) => `${floor}/${name}.ts`);
}

const noImplementation =
  'take the port as a value and name its interface by `import type` from the head file of its folder; the composition root hands over the implementation';

/** One row for each port folder of a floor. */
function portRows(floor: string, ports: Readonly<Record<string, readonly Glob[]>>): readonly ImportRow[] {
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
function shellRow(floor: string, folder: string, ports: Readonly<Record<string, readonly Glob[]>>, also: readonly Glob[] = []) {
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
function floorRows(floor: string): readonly ImportRow[] {
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
  ...daemonCore.map(corePartRow),
  ...floorRows('daemon'),
  ...swarmRows,
  ...contentRows,
  ...installRows,
  ...trustRows,
  ...portRows('daemon', daemonPorts),
  shellRow('daemon', 'daemon/run', daemonPorts),
  shellRow('daemon', 'daemon/http', daemonPorts),
  {
    files: ['daemon/cli/**'],
    may: ['proto/**', 'daemon/cli/**', 'daemon/daemon.ts', ...commons('daemon')],
    mayType: [],
    packages: 'declared',
    node: true,
    instead: 'ask the running daemon, or let daemon/daemon.ts compose it',
  },
  ...controlCore.map(controlCoreRow),
  ...floorRows('control'),
  ...portRows('control', controlPorts),
  shellRow('control', 'control/run', controlPorts),
  shellRow('control', 'control/notify', controlPorts),
  shellRow('control', 'control/fleet', controlPorts),
  shellRow('control', 'control/routing', controlPorts),
  shellRow('control', 'control/work', controlPorts),
  shellRow('control', 'control/http', controlPorts, ['control/fleet/**', 'control/notify/**', 'control/work/**', 'control/bundle/**']),
  {
    // Runs in a browser: of the rest of the project it knows what is said over HTTP, and of that the types alone, since schemas are large.
    files: ['control/web/**'],
    may: ['control/web/**'],
    mayType: ['proto/**'],
    packages: ['preact', '@preact/signals', 'preact-iso', '@dagrejs/dagre', 'eventsource-parser'],
    node: false,
    instead: 'ask the control plane through control/web/client.ts; of proto/ take types',
  },
  {
    files: ['control/bundle/**'],
    may: ['proto/**', 'control/bundle/**', ...commons('control')],
    mayType: [],
    packages: ['esbuild'],
    node: true,
    instead: 'make files of control/web and hand them over as values: who serves them is control/http',
  },
  {
    files: ['control/build/**'],
    may: ['proto/**', 'control/core/**', 'control/build/**', 'daemon/content/**', ...commons('control')],
    mayType: Object.values(controlPorts).flat(),
    packages: 'declared',
    node: true,
    instead: 'daemon/content is the one bridge between the floors; take anything else as a value',
  },
  {
    files: ['control/files/**'],
    may: ['proto/**', 'control/core/**', 'control/files/**'],
    mayType: [],
    packages: ['ajv', 'typebox', 'yaml'],
    node: false,
    instead: 'text comes in and data goes out: let whoever has the file read it and say what is wrong',
  },
  {
    files: ['control/cli/**'],
    may: ['proto/**', 'control/cli/**', 'control/files/**', 'control/build/**', 'control/control.ts', 'daemon/content/**', ...commons('control')],
    mayType: [],
    packages: 'declared',
    node: true,
    instead:
      'go through the HTTP API, or through control/control.ts for `starling control`; of the daemon only daemon/content, to cut trees',
  },
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
