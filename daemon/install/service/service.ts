// What runs an application's releases: one interface for the built-in supervisor, systemd and nothing at all, and the choice
// among them by the release's own spec. When to switch is activation.ts; whether it is healthy is health.ts.

import type { Service } from '../../../proto/deploy-spec.ts';
import type { ReleaseId } from '../../core/release/activate.ts';

/** A release as a service manager sees it. */
export interface RunnableRelease {
  readonly id: ReleaseId;
  /** Absolute path of its directory, not through `current`. */
  readonly directory: string;
  readonly service: Service;
  /** `STARLING_*` variables that say what it is. */
  readonly environment: Readonly<Record<string, string>>;
}

/** How a release runs now. */
export interface ServiceStatus {
  readonly state: 'active' | 'starting' | 'stopped';
  readonly pid?: number;
  /** Automatic restarts since it was started; more of them means that it crashed. */
  readonly restarts: number;
  /** Port on which this instance itself listens, for health checks. */
  readonly port?: number;
  /** For a person: what the manager says. */
  readonly detail?: string;
}

interface Waiting {
  readonly signal: AbortSignal;
}

/**
 * Every method can be repeated, and called by a daemon that did not make the calls before it.
 * @throws {DaemonError} ACTIVATION_FAILED or PORT_IN_USE from all that start something.
 */
export interface ServiceManager {
  /** Nothing is being installed: `release` runs and takes the traffic, and no other one does. Re-adopts what runs. */
  resume(release: RunnableRelease, options: Waiting): Promise<void>;
  /** Starts `next`, beside `from` where the manager can. `current` points at `next` already. */
  switchTo(next: RunnableRelease, from: RunnableRelease | undefined, options: Waiting): Promise<void>;
  /** `next` is healthy: it takes the traffic. */
  settle(next: RunnableRelease, options: Waiting): Promise<void>;
  /** Stops all but `next`, after what it was doing has had time to end. */
  retire(next: RunnableRelease, from: RunnableRelease | undefined, options: Waiting): Promise<void>;
  /** `failed` did not pass: ends it and sees that `to` runs and takes the traffic. `current` points at `to` already. */
  revert(to: RunnableRelease, failed: RunnableRelease | undefined, options: Waiting): Promise<void>;
  /** Ends `release` and all else of this application. */
  stop(release: RunnableRelease | undefined, options: Waiting): Promise<void>;
  status(release: RunnableRelease): Promise<ServiceStatus>;
  /** The daemon ends; with `stop`, so does what it runs. */
  close(how: 'stop' | 'leave'): Promise<void>;
}

/** For content that nothing runs, like a web server's files. */
export const noService: ServiceManager = {
  resume: async () => {},
  switchTo: async () => {},
  settle: async () => {},
  retire: async () => {},
  revert: async () => {},
  stop: async () => {},
  status: async () => ({ state: 'active', restarts: 0 }),
  close: async () => {},
};

/** The managers of one application by the name that a spec gives them. */
export type ServiceManagers = Readonly<Record<Service['manager'], ServiceManager>>;

/**
 * One manager made of several. Where two releases have different managers the old one is stopped before the new one starts:
 * the two cannot share a port, and neither knows of the other.
 */
export function byManager(managers: ServiceManagers): ServiceManager {
  const of = (release: RunnableRelease) => managers[release.service.manager];
  const other = (release: RunnableRelease, than: RunnableRelease | undefined) =>
    than !== undefined && of(than) !== of(release) ? than : undefined;
  const beside = (release: RunnableRelease, than: RunnableRelease | undefined) => (other(release, than) === undefined ? than : undefined);

  return {
    resume: async (release, options) => {
      // What the supervisor left running is found without a spec; units of systemd would need one.
      if (release.service.manager !== 'process') await managers.process.stop(undefined, options);
      await of(release).resume(release, options);
    },
    switchTo: async (next, from, options) => {
      const stopping = other(next, from);
      if (stopping !== undefined) await of(stopping).stop(stopping, options);
      await of(next).switchTo(next, beside(next, from), options);
    },
    settle: async (next, options) => {
      await of(next).settle(next, options);
    },
    retire: async (next, from, options) => {
      await of(next).retire(next, beside(next, from), options);
    },
    revert: async (to, failed, options) => {
      const stopping = other(to, failed);
      if (stopping !== undefined) await of(stopping).stop(stopping, options);
      await of(to).revert(to, beside(to, failed), options);
    },
    stop: async (release, options) => {
      if (release === undefined || release.service.manager !== 'process') await managers.process.stop(undefined, options);
      if (release !== undefined) await of(release).stop(release, options);
    },
    status: async (release) => await of(release).status(release),
    close: async (how) => {
      for (const manager of new Set(Object.values(managers))) await manager.close(how);
    },
  };
}
