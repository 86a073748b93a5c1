// What an environment ran: its deployments with what each can be undone by (CDS-13), and what differs between two environments.

import type { Deployment } from '../model/deployment.ts';
import type { Environment, RevisionRecord, State } from '../model/model.ts';
import { changesBetween } from '../model/revisions.ts';
import type { NumberedChange } from '../model/revisions.ts';
import { revisionOf } from '../model/select.ts';

/** One deployment in the history of its environment. */
export interface Past {
  readonly deployment: Deployment;
  /** What ran before it, and what an automatic rollback would have gone to. */
  readonly from?: RevisionRecord;
  /** Whether the environment runs what it brought, and got it by this one. */
  readonly current: boolean;
  /** Whether a rollback may go to what it brought. */
  readonly back: boolean;
}

/** Every deployment of an environment but those that only brought content near, newest first. */
export function historyOf(state: State, { environment, slots }: Environment): readonly Past[] {
  const own = [...state.deployments.values()].filter((one) => one.environment === environment && one.type !== 'prefetch').toReversed();
  const seen = new Set<string>();
  return own.map((deployment) => {
    const { app, to, type, phase, from } = deployment;
    const runs = slots[app]?.current === to;
    const arrived = phase === 'succeeded' && type !== 'catch-up';
    const current = arrived && runs && !seen.has(app);
    if (current) seen.add(app);
    const before = from === undefined ? undefined : revisionOf(state, app, from);
    return { deployment, ...(before === undefined ? {} : { from: before }), current, back: arrived && !runs };
  });
}

/** One application in two environments. */
export interface Difference {
  readonly app: string;
  /** What runs; absent where nothing does. */
  readonly here?: RevisionRecord;
  readonly there?: RevisionRecord;
  /** What the newer of the two has and the other has not, newest first. */
  readonly changes: readonly NumberedChange[];
}

/** What two environments run, application by application. */
export function compared(state: State, here: Environment, there: Environment): readonly Difference[] {
  const apps = [...new Set([...here.apps, ...there.apps])].toSorted();
  return apps.map((app) => {
    const [ours, theirs] = [runs(state, here, app), runs(state, there, app)];
    const [a, b] = [ours?.number ?? 0, theirs?.number ?? 0];
    return { app, ...(ours === undefined ? {} : { here: ours }), ...(theirs === undefined ? {} : { there: theirs }), changes: changesBetween(state, app, Math.min(a, b), Math.max(a, b)) };
  });
}

function runs(state: State, { slots }: Environment, app: string): RevisionRecord | undefined {
  return revisionOf(state, app, slots[app]?.current ?? '');
}
