// Many histories of roll-outs under faults: each is made by its seed, and every fact in it is checked against the invariants.
// Run one again with STARLING_SEED=<seed>; a seed that failed becomes a case of its own below.

import { describe, expect, it } from 'vitest';
import { evaluateGates } from '../../control/core/gates/gates.ts';
import type { DeploymentConfig } from '../../proto/events.ts';
import { seeded } from '../support/random.ts';
import type { Random } from '../support/random.ts';
import { Simulation } from '../support/rollout-simulation.ts';
import type { Behaviour } from '../support/simulated-agent.ts';

const histories = 3000;
const steps = 1200;
/** With faults gone: 12 targets one by one, a few times over, and deadlines of 20 s at 250 ms a round. */
const drainRounds = 4000;

const digests = ['1', '2', '3', '4', '5'].map((digit) => digit.repeat(64));
const given = process.env['STARLING_SEED'];
/** Seeds whose histories once failed. */
const remembered: readonly number[] = [221, 2018];

function randomConfig(random: Random, total: number, prefetch: boolean): DeploymentConfig {
  return {
    ...(prefetch ? { prefetch: { enabled: true } } : {}),
    batches: random.pick<DeploymentConfig['batches']>([[1, '50%', '100%'], ['100%'], [1, 2, '30%'], ['10%', '90%'], [], [{ name: 'one-box', size: 1, canary: true, bakeMs: 2000, pause: true }, { name: 'wave', size: '40%' }, { size: '100%', bakeMs: 500 }]]),
    maxParallel: random.pick<number | `${number}%`>([1, 2, '25%', '50%', '100%']),
    minHealthy: random.pick<number | `${number}%`>([0, Math.floor(total / 2), '0%', '50%', '75%']),
    failureThreshold: { count: random.pick([1, 2, 5]), percent: random.pick([5, 30, 100]) },
    lostAfterMs: 5000,
    progressDeadlineMs: 20_000,
    bakeMs: random.pick([0, 1000]),
    autoRollback: random.pick([true, true, true, false, { onHealth: true, onError: true, onVerification: [] }, { onHealth: true, onError: true, onVerification: [], scope: 'failed' }]),
    ...(random.chance(0.3) ? { minHealthyTimeMs: 1000 } : {}),
    ...(random.chance(0.3) ? { healthyDeadlineMs: 8000 } : {}),
    ...(random.chance(0.3) ? { unreachable: { tolerate: random.pick<1 | '30%'>([1, '30%']), afterMs: 7000 } } : {}),
    ...(random.chance(0.2) ? { rollback: { skipCanary: false, skipBake: random.chance(0.5) } } : {}),
    ...(random.chance(0.2) ? { order: ['outdated', 'unhealthy'] as const } : {}),
  };
}

function randomBehaviours(random: Random, members: readonly string[]): ReadonlyMap<string, ReadonlyMap<string, Behaviour>> {
  const kinds: readonly [Behaviour, ...Behaviour[]] = ['unhealthy', 'unhealthy', 'inconsistent', 'rejected', 'no-space', 'hang'];
  return new Map(
    digests.map((digest, index) => {
      // The first revision is good everywhere, and some others are: else nothing would ever be stable.
      const share = index === 0 ? 0 : random.pick([0, 0, 0.15, 0.6]);
      return [digest, new Map(members.filter(() => random.chance(share)).map((member) => [member, random.pick(kinds)]))];
    }),
  );
}

function enrol(simulation: Simulation, member: string, zone: string): void {
  const token = `join-${member}`;
  simulation.command({
    kind: 'create-token', token, use: 'join', name: token, secretDigest: 'a'.repeat(64), scopes: [], roles: ['agent'],
    environments: ['prod'], labels: { env: 'prod', zone }, usesMax: 1, expiresAt: simulation.now + 1e9,
  });
  simulation.command({ kind: 'enrol-member', token, member, name: member, publicKey: member, roles: ['agent'], attributes: {} });
  simulation.addAgent(member);
}

function randomCommand(simulation: Simulation, random: Random, id: string): void {
  const environment = 'prod';
  const number = 1 + random.below(digests.length);
  const [deployment] = [...simulation.state.environments.values()].map((one) => one.activeDeployment);
  const what = random.next();
  if (what < 0.55) simulation.command({ kind: 'promote', promotion: id, environment, revision: String(number) });
  else if (what < 0.75) simulation.command({ kind: 'rollback', promotion: id, environment, to: random.chance(0.5) ? 'previous' : number });
  else if (what < 0.8 && deployment !== undefined) simulation.command({ kind: 'abort', deployment });
  else if (what < 0.87) byHand(simulation, random, id);
  else if (what < 0.93 && simulation.agents.length < 12) enrol(simulation, `late-${id}`, 'z');
  else if (simulation.agents.length > 2) {
    const [agent] = simulation.agents.splice(random.below(simulation.agents.length), 1);
    if (agent !== undefined) simulation.command({ kind: 'revoke-member', member: agent.member, reason: 'sold' });
  }
}

/** Somebody pauses, resumes or hurries the newest deployment, or tries it again. */
function byHand(simulation: Simulation, random: Random, id: string): void {
  const deployment = simulation.state.environments.get('prod')?.newestDeployment ?? 'prod-1';
  const kind = random.pick(['pause-deployment', 'resume-deployment', 'next-batch', 'retry-deployment'] as const);
  simulation.command(kind === 'retry-deployment' ? { kind, deployment, promotion: id } : { kind, deployment });
}

/** Somebody locks production, or lets it go: what waits meanwhile is fetched early. */
function turnLock(simulation: Simulation): void {
  const held = simulation.state.locks.has('quiet');
  simulation.command(held ? { kind: 'release-lock', lock: 'quiet', holder: 'ann' } : { kind: 'acquire-lock', lock: 'quiet', scope: { kind: 'all' }, holder: 'ann', reason: 'quiet', includeRollback: false });
}

/** Somebody takes a machine out of what begins, lets it in again, or changes what selects it. */
function operate(simulation: Simulation, random: Random): void {
  const [agent] = simulation.agents.slice(random.below(Math.max(1, simulation.agents.length)));
  const member = agent === undefined ? undefined : simulation.state.members.get(agent.member);
  if (member === undefined) return;
  const { env, ...others } = member.labels;
  if (random.chance(0.3)) simulation.command({ kind: 'label-member', member: member.member, labels: env === undefined ? { ...others, env: 'prod' } : others });
  else if (member.cordoned === undefined) simulation.command({ kind: 'cordon-member', member: member.member, reason: 'a new disk' });
  else simulation.command({ kind: 'uncordon-member', member: member.member });
}

function runHistory(seed: number): Simulation {
  const random = seeded(seed);
  const locking = seeded(seed + 1_000_000);
  const prefetch = locking.chance(0.4);
  const operating = seeded(seed + 2_000_000);
  const operated = operating.pick([0, 0, 0.01]);
  const members = Array.from({ length: 1 + random.below(9) }, (_, index) => `agent-${index}`);
  const simulation = new Simulation(random, randomBehaviours(random, members));
  simulation.command({ kind: 'create-app', app: 'web', project: 'shop' });
  digests.forEach((revision) => {
    simulation.command({
      kind: 'register-revision', app: 'web', revision, cid: `c${revision}`, manifest: '', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'p',
    });
  });
  simulation.command({ kind: 'create-environment', environment: 'prod', app: 'web', selector: { env: 'prod' }, config: randomConfig(random, members.length, prefetch) });
  members.forEach((member, index) => enrol(simulation, member, `zone-${index % 3}`));
  simulation.command({ kind: 'promote', promotion: 'p0', environment: 'prod', revision: '1' });
  for (let index = 1; index <= steps; index += 1) {
    simulation.step();
    if (random.chance(0.01)) randomCommand(simulation, random, `p${index}`);
    if (prefetch && locking.chance(0.01)) turnLock(simulation);
    if (operating.chance(operated)) operate(simulation, operating);
  }
  return simulation;
}

/** Somebody looks at what waits for that. */
function resumePaused(simulation: Simulation): void {
  const active = simulation.state.deployments.get(simulation.state.environments.get('prod')?.activeDeployment ?? '');
  if (simulation.state.locks.has('quiet')) turnLock(simulation);
  if (active?.paused?.byHand === true) simulation.command({ kind: 'resume-deployment', deployment: active.deployment });
}

/** What a history must end in: nothing under way, and nothing that waits without saying why (P-4). */
function checkEnd(simulation: Simulation): void {
  expect(simulation.drain(drainRounds, resumePaused), `at rest: ${JSON.stringify([...simulation.state.environments.values()])}`).toBe(true);
  const { state } = simulation;
  const unheld = [...state.promotions.values()].filter((one) => one.phase === 'waiting' && evaluateGates(state, one, simulation.observed).blockers.length === 0);
  expect(unheld).toEqual([]);
  expect([...state.promotions.values()].filter((one) => one.phase === 'deploying')).toEqual([]);
  for (const agent of simulation.agents) {
    const recorded = state.members.get(agent.member)?.running['web']?.revision;
    expect(recorded, `what ${agent.member} runs`).toBe(agent.running);
  }
}

describe('a roll-out under faults', () => {
  const seeds = given === undefined ? [...Array.from({ length: histories }, (_, index) => index + 1), ...remembered] : [Number(given)];
  const chunk = 50;
  const groups = Array.from({ length: Math.ceil(seeds.length / chunk) }, (_, index) => seeds.slice(index * chunk, (index + 1) * chunk));
  it.each(groups.map((group) => [group[0], group] as const))('keeps its invariants and comes to rest, seeds from %i', { timeout: 60_000 }, (_first, group) => {
    for (const seed of group) {
      try {
        checkEnd(runHistory(seed));
      } catch (cause) {
        throw new Error(`seed ${seed}: ${cause instanceof Error ? cause.message : String(cause)} (STARLING_SEED=${seed} runs it again)`, { cause });
      }
    }
  });
});
