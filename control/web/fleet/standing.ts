// How a machine is doing, in one word, and why it does not run what an environment wants. Pure, and read off what the control plane says.

import type { Environment } from '../../../proto/api/environments.ts';
import type { Drift, Target } from '../../../proto/api/targets.ts';
import type { Standing } from '../attention.ts';
import { heatOf } from '../deployment/heat.ts';

/** What needs a look comes before what is fine: a machine that is silent is not known to be anything else. */
export function targetStanding({ revoked, cordoned, connectivity, clock, running, work, refused = [] }: Pick<Target, 'revoked' | 'cordoned' | 'connectivity' | 'clock' | 'running' | 'work' | 'refused'>): Standing {
  if (revoked) return { tone: 'off', text: 'revoked' };
  if (clock !== undefined) return { tone: 'bad', text: 'wrong clock' };
  if (connectivity === 'offline') return { tone: 'bad', text: 'offline' };
  if (refused.length > 0) return { tone: 'bad', text: 'refuses orders' };
  if (running.some(({ healthy }) => healthy === false)) return { tone: 'bad', text: 'not healthy' };
  const failed = work.find(({ settled, phase }) => settled && heatOf(phase).tone === 'bad');
  if (failed !== undefined) return { tone: 'bad', text: heatOf(failed.phase).text };
  if (cordoned !== undefined) return { tone: 'blocked', text: 'cordoned' };
  if (connectivity === 'stale') return { tone: 'waiting', text: 'silent' };
  if (running.some(({ drifted }) => drifted !== undefined)) return { tone: 'blocked', text: 'drifted' };
  const going = work.find(({ settled }) => !settled);
  if (going !== undefined) return { tone: heatOf(going.phase).tone, text: heatOf(going.phase).text };
  return running.length === 0 ? { tone: 'off', text: 'empty' } : { tone: 'well', text: 'serves' };
}

/** One application of an environment on one machine. */
export interface Place {
  readonly app: string;
  readonly standing: Standing;
  /** A sentence: why it is so. */
  readonly why: string;
  /** Where to read on. */
  readonly deployment?: string;
}

/** Whether the labels of a machine are those that an environment selects by. */
export function isSelected({ labels }: Pick<Target, 'labels'>, { selector }: Pick<Environment, 'selector'>): boolean {
  return Object.entries(selector).every(([key, value]) => labels[key] === value);
}

/** What an environment wants of a machine that it selects, application by application, and what there is. */
export function placesIn(target: Pick<Target, 'running' | 'work' | 'connectivity' | 'cordoned'>, { environment, apps, activeDeployment }: Pick<Environment, 'environment' | 'apps' | 'activeDeployment'>): readonly Place[] {
  return apps.map(({ app, desired }): Place => {
    const runs = target.running.find((one) => one.app === app);
    if (desired === undefined) return { app, standing: { tone: 'off', text: 'nothing wanted' }, why: `nothing of ${app} was promoted to ${environment} yet` };
    if (runs?.revision === desired.revision) return { app, ...asWanted(runs, environment) };
    const has = runs === undefined ? 'it has none' : `it runs ${app}@${runs.number}`;
    const wish = `${environment} wants ${app}@${desired.number}, ${has}`;
    const work = target.work.find((one) => one.app === app && one.environment === environment && one.revision === desired.revision);
    const silent = target.connectivity === 'offline';
    if (work !== undefined && work.settled && heatOf(work.phase).tone === 'bad') {
      return { app, standing: { tone: 'bad', text: heatOf(work.phase).text }, why: `${wish}: it was told to change, and ${heatOf(work.phase).text} is how that ended`, deployment: work.deployment };
    }
    if (work !== undefined && !work.settled) {
      return { app, standing: { tone: silent ? 'bad' : 'busy', text: heatOf(work.phase).text }, why: `${wish}: it was told to change${silent ? ', and is not heard of since' : ', and is at it'}`, deployment: work.deployment };
    }
    if (target.cordoned !== undefined) return { app, standing: { tone: 'blocked', text: 'cordoned' }, why: `${wish}: it is cordoned, and no deployment begins with it until it is uncordoned` };
    if (silent) return { app, standing: { tone: 'bad', text: 'behind' }, why: `${wish}: it is not heard of, and is brought up to date when it is back` };
    if (activeDeployment !== undefined) return { app, standing: { tone: 'waiting', text: 'its turn comes' }, why: `${wish}: the deployment under way has not come to it yet`, deployment: activeDeployment };
    return { app, standing: { tone: 'blocked', text: 'behind' }, why: `${wish}, and no deployment is under way that would bring it` };
  });
}

function asWanted({ number, app, healthy, drifted }: Target['running'][number], environment: string): Pick<Place, 'standing' | 'why'> {
  if (healthy === false) return { standing: { tone: 'bad', text: 'not healthy' }, why: `it runs ${app}@${number}, as ${environment} wants, and fails its health check` };
  if (drifted !== undefined) return { standing: { tone: 'blocked', text: 'drifted' }, why: `it runs ${app}@${number}, as ${environment} wants, but ${drifted === 1 ? 'one thing' : `${drifted} things`} of the release on its disk ${drifted === 1 ? 'is' : 'are'} not what was installed` };
  return { standing: { tone: 'well', text: 'as wanted' }, why: `it runs ${app}@${number}, as ${environment} wants` };
}

const driftNames: Readonly<Record<Drift['why'], Standing>> = {
  missing: { tone: 'blocked', text: 'lacks it' },
  other: { tone: 'blocked', text: 'runs another' },
  unhealthy: { tone: 'bad', text: 'not healthy' },
  changed: { tone: 'blocked', text: 'drifted' },
};

/** How a machine differs from what its environment runs. */
export function driftStanding({ why, deployment }: Pick<Drift, 'why' | 'deployment'>): Standing {
  return deployment === undefined ? driftNames[why] : { tone: 'busy', text: driftNames[why].text };
}

/** The same in a sentence, with what is done about it. */
export function driftText({ app, wanted, running, why, changed = 0, deployment, caughtUp, connectivity }: Drift): string {
  const has = why === 'changed' ? `${changed === 1 ? 'one thing' : `${changed} things`} on its disk not as installed` : why === 'unhealthy' ? 'fails its health check' : running === undefined ? 'runs nothing of it' : `runs ${app}@${running.number}`;
  const next = deployment !== undefined ? 'a deployment is at it' : why === 'changed' || why === 'unhealthy' ? 'somebody should look' : connectivity === 'offline' ? 'not heard of; it catches up when it is back' : caughtUp ? 'a catch-up brings it' : 'a deployment failed on it: people decide';
  return `${app}@${wanted.number}: ${has}; ${next}`;
}
