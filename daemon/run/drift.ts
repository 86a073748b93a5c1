// Looks, again and again and slowly, whether the releases on this machine still are what was installed, and puts back what is not: from the other
// releases here, else from neighbours. How that is done on disk is daemon/content/installed/drift.ts's.

import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createBitmap } from '../../proto/bitmap.ts';
import type { Clock } from '../clock.ts';
import type { Manifest, Manifests } from '../content/manifests.ts';
import type { Drift, InstalledTrees, RestoreOptions, TreeOnDisk } from '../content/store.ts';
import { DaemonError } from '../errors.ts';
import type { InstalledApp, InstalledRelease, Installer } from '../install/installer.ts';
import type { Logger } from '../log.ts';
import type { DaemonMetrics } from '../metrics.ts';
import { replacedPaths } from './build.ts';
import type { Library } from './library.ts';

/** What a look may cost: reading and hashing a mebibyte takes about a thousandth of a core's second. */
const bytesPerSecond = 1024 * 1024;
/** Read between two waits. */
const stepBytes = 256 * 1024;
/** A look that somebody asks for, since a file was found changed, comes no sooner than this after the one before. */
const pauseMsMin = 60_000;
/** One file is waited for so long; then the next look tries again. */
const restoreMs = 5 * 60_000;
/** Of what was found in the place of files, the newest are kept. */
const asideMax = 16;
/** Of its name so much is in theirs, in UTF-16 units: with what comes before it less than the 255 bytes that a name may have. */
const asideNameMax = 60;
/** Paths that the status names. */
const shownMax = 100;

/** What the configuration says. */
export interface DriftConfig {
  readonly use: 'repair' | 'report' | 'off';
  /** Between the end of one look and the beginning of the next. */
  readonly minutes: number;
}

export interface DriftDeps {
  readonly drift: Drift;
  readonly installer: Pick<Installer, 'status'>;
  readonly installed: Pick<InstalledTrees, 'get' | 'mended'>;
  readonly manifests: Pick<Manifests, 'get'>;
  readonly library: Pick<Library, 'sharing'>;
  readonly config: DriftConfig;
  readonly clock: Clock;
  readonly metrics: Pick<DaemonMetrics, 'driftedFiles' | 'driftFound' | 'driftRepaired' | 'failures'>;
  readonly log: Logger;
}

/** Something in a release that is not what was installed, and has not been put back. */
export interface Drifted {
  readonly app: string;
  readonly release: string;
  readonly path: string;
}

export interface DriftWatch {
  /** Looks until the signal fires. Never throws. */
  run(signal: AbortSignal): Promise<void>;
  /** One look at every release, the current ones first. @throws {DaemonError} ABORTED. */
  look(signal: AbortSignal): Promise<void>;
  /** Something was found changed by who reads files: a look comes soon. */
  suspect(): void;
  /** What the last look left, at most {@link shownMax} of it. */
  drifted(): readonly Drifted[];
  /** How many things in a release, by its directory. */
  count(directory: string): number;
}

/** Nothing looked at yet. */
export function createDriftWatch(deps: DriftDeps): DriftWatch {
  const { installer, manifests, config, clock, metrics, log } = deps;
  /** By directory of the release; paths in it. */
  const found = new Map<string, { readonly app: string; readonly paths: Set<string> }>();
  let wake = new AbortController();

  const count = (): void => {
    metrics.driftedFiles.set([...found.values()].reduce((sum, { paths }) => sum + paths.size, 0));
  };
  const note = (app: string, release: InstalledRelease, path: string, isDrifted: boolean): void => {
    const known = found.get(release.directory) ?? { app, paths: new Set<string>() };
    found.set(release.directory, known);
    if (!isDrifted) known.paths.delete(path);
    else if (!known.paths.has(path)) {
      known.paths.add(path);
      metrics.driftFound.inc();
      log.warn({ app, release: release.id, path }, 'an installed file is not what was installed');
    }
    count();
  };
  const lookAt = async (app: InstalledApp, release: InstalledRelease, signal: AbortSignal): Promise<void> => {
    const manifest = await manifests.get(release.revision);
    if (manifest === undefined) return;
    const on = { tree: manifest.tree, directory: release.directory, except: replacedPaths(manifest) };
    const spend = createPacer(clock, signal);
    const drifted = new Set<string>();
    for await (const position of deps.drift.find(on, spend)) {
      // A release that goes is renamed first: then all of it is gone, which is no drift.
      if (!existsSync(release.directory)) break;
      const { path } = manifest.tree.entry(position);
      drifted.add(path);
      note(app.app, release, path, true);
      if (config.use === 'repair' && (await repair(deps, { app, release, manifest, on, position, spend }, signal))) note(app.app, release, path, false);
    }
    for (const path of found.get(release.directory)?.paths ?? []) if (!drifted.has(path)) note(app.app, release, path, false);
  };
  const look = async (signal: AbortSignal): Promise<void> => {
    const apps = await installer.status();
    const present = new Set(apps.flatMap(({ releases }) => releases.map(({ directory }) => directory)));
    for (const directory of found.keys()) if (!present.has(directory)) found.delete(directory);
    count();
    for (const isCurrent of [true, false]) {
      for (const app of apps) for (const release of app.releases) if ((release.id === app.current?.id) === isCurrent) await lookAt(app, release, signal);
    }
  };
  const wait = async (ms: number, signal: AbortSignal): Promise<void> => {
    await clock.wait(ms, { signal }).catch(() => undefined);
  };
  return {
    look,
    async run(signal) {
      while (!signal.aborted) {
        await wait(pauseMsMin, signal);
        await wait(Math.max(0, config.minutes * 60_000 - pauseMsMin), AbortSignal.any([signal, wake.signal]));
        wake = new AbortController();
        try {
          if (!signal.aborted) await look(signal);
        } catch (cause) {
          if (signal.aborted) return;
          metrics.failures.inc({ component: 'drift' });
          log.warn({ err: cause }, 'the installed releases could not all be looked at; they are again at the next look');
        }
      }
    },
    suspect: () => wake.abort(),
    drifted: () => [...found].flatMap(([directory, { app, paths }]) => [...paths].map((path) => ({ app, release: basename(directory), path }))).slice(0, shownMax),
    count: (directory) => found.get(directory)?.paths.size ?? 0,
  };
}

/** Waits after every so many bytes for as long as they may take. */
function createPacer(clock: Clock, signal: AbortSignal): RestoreOptions['spend'] {
  let spent = 0;
  return (bytes) => {
    spent += bytes;
    if (spent < stepBytes) return undefined;
    const ms = (spent / bytesPerSecond) * 1000;
    spent = 0;
    return clock.wait(ms, { signal });
  };
}

interface Repair {
  readonly app: InstalledApp;
  readonly release: InstalledRelease;
  readonly manifest: Manifest;
  readonly on: TreeOnDisk;
  readonly position: number;
  readonly spend: RestoreOptions['spend'];
}

/** Whether it is as it was. */
async function repair(deps: DriftDeps, { app, release, manifest, on, position, spend }: Repair, signal: AbortSignal): Promise<boolean> {
  const { installed, library, clock, metrics, log } = deps;
  const entry = manifest.tree.entry(position);
  const folder = join(app.root, '.state', 'drifted');
  const aside = join(folder, `${String(clock.now()).padStart(15, '0')}-${release.id}-${position}-${basename(entry.path).slice(0, asideNameMax)}`);
  try {
    makeRoom(folder);
    const until = AbortSignal.any([signal, AbortSignal.timeout(restoreMs)]);
    const kept = await deps.drift.restore(on, position, {
      scratch: join(folder, 'next'), aside, spend,
      bring: async (ordinals, write) => await bring(deps, manifest, ordinals, write, until),
    });
    installed.mended(release.directory, position);
    if (entry.kind === 'file') library.sharing(manifest.digest)?.gained(entry.chunks);
    metrics.driftRepaired.inc();
    log.warn({ app: app.app, release: release.id, path: entry.path, ...(kept ? { kept: aside } : {}) }, 'an installed file was put back as it was installed; who has it open still has the other until it starts again');
    return true;
  } catch (cause) {
    if (signal.aborted || !(cause instanceof DaemonError)) throw cause;
    log.warn({ err: cause, app: app.app, release: release.id, path: entry.path }, 'an installed file that changed could not be put back; it is tried again at the next look');
    return false;
  }
}

function makeRoom(folder: string): void {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const name of readdirSync(folder).toSorted().slice(0, -(asideMax - 1))) rmSync(join(folder, name), { recursive: true, force: true });
}

/** From what is on this machine, else from neighbours, with what their other work leaves. */
async function bring({ installed, library }: DriftDeps, { tree, digest }: Manifest, ordinals: readonly number[], write: (ordinal: number, bytes: Uint8Array) => void, signal: AbortSignal): Promise<void> {
  const wanted = createBitmap(tree.chunkCount);
  for (const ordinal of ordinals) {
    const bytes = await installed.get(tree.chunk(ordinal).id, { signal });
    if (bytes === undefined) wanted.set(ordinal);
    else write(ordinal, bytes);
  }
  if (wanted.count === 0) return;
  const sharing = library.sharing(digest);
  if (sharing === undefined) throw new DaemonError('INCOMPLETE', `${wanted.count} chunks are not on this machine, and the revision is not shared with neighbours now`);
  sharing.lost(wanted.ranges().flatMap(({ from, to }) => Array.from({ length: to - from }, (_, at) => from + at)));
  await sharing.fetch({
    wanted,
    write: async (ordinal, bytes) => {
      await Promise.resolve();
      write(ordinal, bytes);
    },
    signal,
    urgent: new AbortController().signal,
  });
}
