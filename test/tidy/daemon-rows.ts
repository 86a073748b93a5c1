// Which way imports may go in the daemon. What the rows say is in rows.ts.

import { commons, floorRows, openCore, portRows, shellRow, type Glob, type ImportRow } from './rows.ts';

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
    instead: 'the parts of the core know one another in one direction only (daemonCore in test/tidy/daemon-rows.ts), and what they do not know they are given as a value',
  };
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

const fromBelow = 'identity comes first, then statements, then TUF (trustRows in test/tidy/daemon-rows.ts); what is believed of all three is kept by daemon/trust/file-trust.ts';

const trustRows: readonly ImportRow[] = [
  partRow('daemon/trust', 'identity', [], fromBelow),
  partRow('daemon/trust', 'statements', ['daemon/trust/identity/**'], fromBelow),
  partRow('daemon/trust', 'tuf', ['daemon/trust/identity/**', 'daemon/trust/statements/**'], fromBelow),
];

/** All of the daemon. */
export const daemonRows: readonly ImportRow[] = [
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
];
