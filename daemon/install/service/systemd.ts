// Runs releases as units of systemd through `systemctl` (agent.md, section 1.4). Units refer to `current`, so the switch of
// the link comes first; unit files that a release ships are linked through `current` and are thus part of every switch back.

import { join } from 'node:path';
import type { Service } from '../../../proto/deploy-spec.ts';
import { DaemonError } from '../../errors.ts';
import { type Disk, replaceLink } from '../machine/disk.ts';
import { installLimits } from '../limits.ts';
import type { RunnableRelease, ServiceManager, ServiceStatus } from './service.ts';
import { systemctl, type Shown, type SystemctlTools, type Waiting } from './systemctl.ts';

export interface SystemdTools extends SystemctlTools {
  readonly disk: Disk;
  /** Where unit files are linked: `/etc/systemd/system`. */
  readonly unitDirectory: string;
}

type Unit = Extract<Service, { manager: 'systemd' }>['units'][number];

function unitsOf(release: RunnableRelease | undefined): readonly Unit[] {
  return release?.service.manager === 'systemd' ? release.service.units : [];
}

/** Units of `of` that `than` does not have. */
function only(of: RunnableRelease | undefined, than: RunnableRelease): readonly Unit[] {
  return unitsOf(of).filter(({ name }) => !unitsOf(than).some((unit) => unit.name === name));
}

/** States of a unit of which nothing runs. */
const atRest: ReadonlySet<string> = new Set(['inactive', 'failed']);

/** systemd as the manager of one application's units. */
export function systemdService(tools: SystemdTools): ServiceManager {
  const { must, show } = systemctl(tools);

  /** Links what `release` ships, unlinks what it no longer does, and tells systemd when a unit file is another than before. */
  const install = async (release: RunnableRelease, before: RunnableRelease | undefined, options: Waiting): Promise<void> => {
    const shipped = await unitFiles(tools.disk, release);
    const old = before === undefined ? new Map<string, string>() : await unitFiles(tools.disk, before);
    const linked = await linkUnits(tools, [...shipped.keys()]);
    const differ = shipped.size !== old.size || [...shipped].some(([name, text]) => old.get(name) !== text);
    // `current` has moved, so a link can be as it was and its text another: the texts decide.
    if (linked || differ) await must(['daemon-reload'], options);
  };

  const bringUp = async (release: RunnableRelease, before: RunnableRelease | undefined, options: Waiting): Promise<void> => {
    await install(release, before, options);
    for (const { name, action } of unitsOf(release)) {
      if (action !== 'none') await must([action === 'reload' ? 'reload' : action, '--', name], options);
    }
  };

  const stopUnits = async (of: RunnableRelease | undefined, units: readonly Unit[], options: Waiting): Promise<void> => {
    const names = await own(tools, of, units.map(({ name }) => name));
    if (names.length === 0) return;
    try {
      await must(['stop', '--', ...names], options);
    } catch (error) {
      // What was never started cannot be stopped, says systemd; that is what was wanted.
      const shown = await show(names, options);
      if (shown.some(({ ActiveState = '' }) => !atRest.has(ActiveState))) throw error;
    }
  };

  const status = async (release: RunnableRelease): Promise<ServiceStatus> => {
    const units = unitsOf(release).filter(({ action }) => action !== 'none');
    if (units.length === 0) return { state: 'active', restarts: 0 };
    const shown = await show(units.map(({ name }) => name), { signal: AbortSignal.timeout(installLimits.systemctlShowMs) });
    return summarised(units, shown);
  };

  return {
    resume: async (release, options) => {
      await install(release, release, options);
      const units = unitsOf(release).filter(({ action }) => action !== 'none');
      // `start` leaves alone what is active already.
      if (units.length > 0) await must(['start', '--', ...units.map(({ name }) => name)], options);
    },
    switchTo: bringUp,
    settle: async () => {},
    retire: async (next, from, options) => {
      await stopUnits(from, only(from, next), options);
    },
    revert: async (to, failed, options) => {
      // Only in the failed release: stopped by its own unit file, which `current` no longer reaches but systemd still holds.
      await stopUnits(failed, only(failed, to), options);
      await bringUp(to, failed, options);
    },
    stop: async (release, options) => {
      await stopUnits(release, unitsOf(release), options);
      if (await linkUnits(tools, [])) await must(['daemon-reload'], options);
    },
    status,
    // Units belong to systemd and outlive the daemon whatever its configuration says.
    close: async () => {},
  };
}

function summarised(units: readonly Unit[], shown: readonly Shown[]): ServiceStatus {
  const states = units.map(({ name }, index) => ({ name, properties: shown[index] ?? {} }));
  const pids = states.map(({ properties }) => Number(properties['MainPID'] ?? 0)).filter((pid) => pid > 0);
  const restarts = states.reduce((sum, { properties }) => sum + Number(properties['NRestarts'] ?? 0), 0);
  const wrong = states.find(({ properties }) => properties['ActiveState'] !== 'active');
  const pid = pids[0] === undefined ? {} : { pid: pids[0] };
  if (wrong === undefined) return { state: 'active', restarts, ...pid };
  const { ActiveState = 'unknown', SubState = 'unknown', Result = 'unknown' } = wrong.properties;
  const state = ['activating', 'reloading'].includes(ActiveState) ? 'starting' : 'stopped';
  return { state, restarts, detail: `${wrong.name} is ${ActiveState} (${SubState}, ${Result})`, ...pid };
}

/** Unit files that a release ships in `systemd/`: name → text. */
async function unitFiles(disk: Disk, release: RunnableRelease): Promise<ReadonlyMap<string, string>> {
  const directory = join(release.directory, 'systemd');
  const files = new Map<string, string>();
  for (const name of await disk.list(directory)) {
    if (/^[A-Za-z0-9:_.@-]+\.(service|socket|timer|path|target)$/.test(name)) files.set(name, (await disk.readText(join(directory, name))) ?? '');
  }
  return files;
}

/** Of these units of a release those that are its to stop: not one that it ships while a file of that name is there that is not ours. */
async function own({ disk, at, unitDirectory }: SystemdTools, release: RunnableRelease | undefined, names: readonly string[]): Promise<readonly string[]> {
  const shipped = release === undefined ? new Map<string, string>() : await unitFiles(disk, release);
  const found: string[] = [];
  for (const name of names) {
    const path = join(unitDirectory, name);
    const isForeign = shipped.has(name) && (await disk.kind(path)) !== undefined && (await disk.readLink(path)) !== join(at.current, 'systemd', name);
    if (!isForeign) found.push(name);
  }
  return found;
}

/**
 * Makes the links into this root's `current/systemd` exactly `names`; whether anything changed.
 * @throws {DaemonError} ACTIVATION_FAILED when a unit of that name is there and not ours, or the directory cannot be written to.
 */
async function linkUnits({ disk, at, unitDirectory }: SystemdTools, names: readonly string[]): Promise<boolean> {
  const ours = join(at.current, 'systemd');
  let changed = false;
  for (const name of names) {
    const path = join(unitDirectory, name);
    const target = await disk.readLink(path);
    if (target === join(ours, name)) continue;
    if ((await disk.kind(path)) !== undefined) {
      throw new DaemonError('ACTIVATION_FAILED', `${path} is there and is not this application's: remove it, or ship the unit under another name`);
    }
    await replaceLink(disk, join(ours, name), path, join(unitDirectory, `.${name}.next`)).catch((cause: unknown) => refuse(unitDirectory, name, cause));
    changed = true;
  }
  for (const name of await disk.list(unitDirectory)) {
    if (names.includes(name) || (await disk.readLink(join(unitDirectory, name))) !== join(ours, name)) continue;
    await disk.remove(join(unitDirectory, name));
    await disk.syncDirectory(unitDirectory);
    changed = true;
  }
  return changed;
}

function refuse(unitDirectory: string, name: string, cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new DaemonError('ACTIVATION_FAILED', `the release ships ${name}, which cannot be linked in ${unitDirectory}: ${why}; a daemon that may do that is one with starlingd-units.conf of its package, or else the unit comes with the machine`, { cause });
}
