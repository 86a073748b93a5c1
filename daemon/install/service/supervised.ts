// What the supervisor works with, and what it wrote down about its processes, read back by a later daemon. Text that does not read as such counts
// as nothing written: the processes are then found by their tags.

import { join } from 'node:path';
import type { Clock } from '../../clock.ts';
import type { Logger } from '../../log.ts';
import type { Disk } from '../machine/disk.ts';
import type { Layout } from '../layout.ts';
import type { ProcessIdentity, Processes } from '../machine/processes.ts';

/** What the supervisor and its front are given. */
export interface SupervisorTools {
  readonly at: Layout;
  readonly disk: Disk;
  readonly processes: Processes;
  readonly clock: Clock;
  readonly log: Logger;
  /** Begins the tags of all that belongs to this root. */
  readonly tag: string;
  readonly searchPath: string;
  /** The Node that runs the front. */
  readonly node: string;
  readonly host: string;
  /** The application's port; without one there is no front. */
  readonly port?: number;
}

/** What an earlier daemon wrote down. */
export interface Supervised {
  readonly instances: readonly (ProcessIdentity & { readonly tag: string })[];
  /** The release to which the front passes connections. */
  readonly active: string | undefined;
}

/** A member of a JSON value of unknown shape. */
export function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Object.entries(value).find(([key]) => key === name)?.[1] : undefined;
}

/** A JSON file of unknown shape; `undefined` when it is absent or not JSON. */
export async function readJson(disk: Disk, path: string): Promise<unknown> {
  const text = await disk.readText(path);
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    return undefined;
  }
}

export async function readSupervised(disk: Disk, at: Layout): Promise<Supervised> {
  const written = member(await readJson(disk, join(at.state, 'process.json')), 'instances');
  const active = member(await readJson(disk, join(at.state, 'backend.json')), 'release');
  const instances = (Array.isArray(written) ? written : []).flatMap((entry: unknown) => {
    const [pid, startTime, tag] = ['pid', 'startTime', 'tag'].map((name) => member(entry, name));
    return typeof pid === 'number' && typeof startTime === 'string' && typeof tag === 'string' ? [{ pid, startTime, tag }] : [];
  });
  return { instances, active: typeof active === 'string' ? active : undefined };
}
