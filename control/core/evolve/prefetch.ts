// What a prefetch adds to the state: a deployment that only distributes. It is never the active one, and changes neither
// what an environment wants nor what it runs.

import type { Event } from '../../../proto/events.ts';
import { foldArchive } from './archive.ts';
import type { Draft, Mutable } from './draft.ts';
import type { Deployment, TargetDeployment } from '../model/deployment.ts';
import { batchOf, putTarget } from './target.ts';
import { isHolding } from '../swarm/swarm.ts';

type Of<K extends Event['kind']> = Extract<Event, { readonly kind: K }>;

/** Folds the beginning of a prefetch, or more targets of one under way. */
export function foldPrefetch(draft: Draft, { kind: _kind, targets: members, ...event }: Of<'prefetch.started'>, at: number): void {
  const environment = draft.environments.edit(event.environment);
  if (environment === undefined) return;
  const known = draft.deployments.get(event.deployment);
  if (known !== undefined && known.phase !== 'distributing') return;
  const fresh = members.filter((member) => known?.targets.get(member) === undefined);
  const added = fresh.map((member): TargetDeployment => {
    const there = draft.members.get(member)?.running[event.app]?.revision === event.to;
    return { member, batch: 0, phase: there ? 'already-current' : 'assigned', settled: there, reportNo: 0, reportedAt: at };
  });
  if (known === undefined) {
    const { seq, config } = environment;
    draft.deployments.set(event.deployment, { ...event, type: 'prefetch', seq, config, batches: [], targets: new Map(), phase: 'distributing', startedAt: at, progressedAt: at, cancels: [] });
    environment.newestPrefetch = event.deployment;
    environment.prefetches = (environment.prefetches ?? 0) + 1;
    foldArchive(draft, environment, event.deployment);
  }
  const targets = draft.targets(event.deployment);
  for (const target of added) targets.set(target.member, target);
  const deployment = draft.deployments.edit(event.deployment);
  if (deployment !== undefined) deployment.batches = [{ ...batchOf([...targets.keys()], targets), phase: 'running', startedAt: deployment.startedAt }];
}

/** Folds its end. Whoever still fetches is told to stop, unless its promotion begins and wants the same content. */
export function foldPrefetchEnd(draft: Draft, deployment: Mutable<Deployment>, event: Of<'deployment.finished'>, at: number): void {
  deployment.phase = event.phase;
  deployment.finishedAt = at;
  if (event.reason !== undefined) deployment.reason = event.reason;
  const targets = draft.targets(event.deployment);
  const open = [...targets.values()].filter((target) => !isHolding(target.phase) && target.phase !== 'failed' && target.phase !== 'rejected');
  deployment.cancels = event.phase === 'aborted' ? open.filter((target) => target.order !== undefined).map(({ member }) => member) : [];
  for (const target of open) putTarget(draft, deployment, { ...target, phase: 'cancelled' });
  deployment.batches = deployment.batches.map((batch) => ({ ...batch, phase: event.phase === 'succeeded' ? 'succeeded' : 'skipped', finishedAt: at }));
}
