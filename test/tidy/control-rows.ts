// Which way imports may go in the control plane, its user interface and its command line. What the rows say is in rows.ts.

import { commons, floorRows, portRows, shellRow, type Glob, type ImportRow } from './rows.ts';

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
    instead: 'keep core pure, and its parts in the order of controlCore in test/tidy/control-rows.ts: move what two of them need to the one that comes first',
  };
}

const controlPorts = {
  'control/journal': ['control/journal/journal.ts'],
  'control/trust': ['control/trust/repository.ts'],
} as const;

/** All of the control plane. */
export const controlRows: readonly ImportRow[] = [
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
];
