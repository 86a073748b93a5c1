// Environments that run several applications: a set is deployed one application after another, arrives whole, and goes back
// whole. The machines are those of pipeline-world.ts, which do at once what they are told.

import { describe, expect, test } from 'vitest';
import { explain } from '../../../control/core/explain/explain.ts';
import { setIdOf } from '../../../control/core/model/sets.ts';
import { config, digestOf, edge, minuteMs, pipeline, place, PipelineWorld } from '../../support/pipeline-world.ts';

const apiDigest = (number: number): string => digestOf(1000 + number);

/** Alpha and prod, each with `api` and then `web`; edges by application into alpha, one for both into prod. */
class TwoApps extends PipelineWorld {
  constructor(auto = false, bad: readonly string[] = []) {
    super(['alpha', 'prod']);
    for (const revision of bad) this.bad.add(revision);
    const wish = (environment: string) => ({ environment, apps: ['api', 'web'], selector: { env: environment }, config });
    const spec = pipeline({
      edges: [
        edge('web', 'alpha', { auto }),
        edge('api', 'alpha', { edge: 'api-alpha', from: { kind: 'app', app: 'api' }, apps: ['api'], auto }),
        edge('alpha', 'prod', { apps: ['api', 'web'], auto }),
      ],
    });
    this.ask({ kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec, apps: ['web', 'api'], environments: [wish('alpha'), wish('prod')] });
    this.push(1);
    this.pushApi(1);
    this.settle();
  }

  pushApi(number: number): void {
    this.ask({ kind: 'register-revision', app: 'api', revision: apiDigest(number), cid: `api${number}`, manifest: 'AA==', manifestBytes: 1, entries: 1, bytes: 1, chunks: 1, uploadedBytes: 1, proxy: 'proxy' });
  }

  bring(environment: string, revision: string): string {
    const promotion = this.id('set');
    this.ask({ kind: 'promote', promotion, environment, revision });
    this.settle();
    return promotion;
  }

  /** Approves what waits. */
  approveAll(): void {
    for (const request of this.requests()) this.vote(request, 'ann', ['*']);
    this.settle();
  }

  set(environment: string): string {
    const members = this.state.sets.get(environment)?.current ?? {};
    return Object.entries(members).map(([app, digest]) => `${app}@${Number(digest) % 1000}`).toSorted().join('+');
  }

  /** What every machine of an environment runs. */
  running(environment: string): readonly string[] {
    const members = [...this.state.members.values()].filter((member) => member.environments.includes(environment));
    return [...new Set(members.map(({ running }) => Object.entries(running).map(([app, { number }]) => `${app}@${number}`).toSorted().join('+')))];
  }
}

describe('an environment of several applications', () => {
  test('R-6 what failed is not brought again because another application was brought after it', () => {
    const world = new TwoApps(true, [digestOf(1), apiDigest(1)]);
    expect(world.facts('deployment.started').map(({ app, number }) => `${app}@${number}`).toSorted()).toEqual(['api@1', 'web@1']);
    world.bad.clear();
    world.pushApi(2);
    world.settle();
    expect(world.facts('deployment.started').map(({ app, number }) => `${app}@${number}`).toSorted()).toEqual(['api@1', 'api@2', 'web@1']);
    world.push(2);
    world.settle();
    expect(world.set('alpha')).toBe('api@2+web@2');
  });

  test('CDS-1 gets a set one application after another, in its order, and has it when the last has come', () => {
    const world = new TwoApps();
    const promotion = world.bring('alpha', 'web@1+api@1');
    expect(world.facts('deployment.started').map(({ app, next }) => [app, next])).toEqual([['api', ['web']], ['web', undefined]]);
    expect(world.state.promotions.get(promotion)?.phase).toBe('succeeded');
    expect(world.set('alpha')).toBe('api@1+web@1');
    expect(world.running('alpha')).toEqual(['api@1+web@1']);
    expect(world.state.sets.get('alpha')?.arrivals).toHaveLength(1);
    expect(world.state.environments.get('alpha')?.role?.revisions).toEqual({ api: apiDigest(1), web: digestOf(1) });
  });

  test('V-4 deploys only what differs, and the set names every application', () => {
    const world = new TwoApps();
    world.bring('alpha', 'web@1+api@1');
    world.push(2);
    world.bring('alpha', 'web@2+api@1');
    expect(world.facts('deployment.started').slice(2).map(({ app }) => app)).toEqual(['web']);
    expect(world.set('alpha')).toBe('api@1+web@2');
  });

  test('takes back the applications that came before the one that failed', () => {
    const world = new TwoApps();
    world.bring('alpha', 'web@1+api@1');
    world.push(2);
    world.pushApi(2);
    world.bad.add(digestOf(2));
    const promotion = world.bring('alpha', 'latest');
    expect(world.state.promotions.get(promotion)?.phase).toBe('failed');
    expect(world.running('alpha')).toEqual(['api@1+web@1']);
    expect(world.set('alpha')).toBe('api@1+web@1');
    expect(world.facts('promotion.created').at(-1)).toMatchObject({ trigger: 'rollback', members: { api: apiDigest(1) } });
  });

  test('CDS-13 goes back to the set before, as a whole', () => {
    const world = new TwoApps();
    world.bring('alpha', 'web@1+api@1');
    world.push(2);
    world.pushApi(2);
    world.bring('alpha', 'web@2+api@2');
    expect(world.rollback('alpha').kind).toBe('accepted');
    world.settle();
    expect(world.set('alpha')).toBe('api@1+web@1');
    expect(world.running('alpha')).toEqual(['api@1+web@1']);
  });

  test('CDS-6 promotes by one edge what several edges brought to its source, when a person has approved the set', () => {
    const world = new TwoApps(true);
    expect(world.set('alpha')).toBe('api@1+web@1');
    expect(world.holding('prod')).toEqual([]);
    world.approveAll();
    expect(world.set('prod')).toBe('api@1+web@1');
    world.push(2);
    world.settle();
    world.approveAll();
    expect(world.set('prod')).toBe('api@1+web@2');
  });

  test('A-8 nobody is asked any more about a part of what came as a whole; explain says what is next and who is asked', () => {
    const world = new TwoApps(true);
    const open = () => world.requests().map((id) => Object.keys(world.state.requests.get(id)?.subject.members ?? {}).length);
    expect(open()).toEqual([1, 2]);
    expect(explain(world.state, world.observed, 'prod')).toMatchObject({ summary: "api@1 + web@1 is next for 'prod' and waits: approval", blockers: [{ type: 'approval' }] });
    for (const request of world.requests()) if (Object.keys(world.state.requests.get(request)?.subject.members ?? {}).length === 2) world.vote(request, 'ann', ['*']);
    world.settle();
    expect(world.set('prod')).toBe('api@1+web@1');
    expect(open()).toEqual([]);
    expect(explain(world.state, world.observed, 'prod')?.blockers).toEqual([]);
  });

  test('A-1 A-3 one application by hand asks about the set that would run with it, and not who asks for it', () => {
    const world = new TwoApps();
    world.bring('alpha', 'web@1+api@1');
    world.bring('prod', 'web@1+api@1');
    world.approveAll();
    world.push(2);
    world.bring('alpha', 'web@2');
    world.actor = 'ann';
    world.bring('prod', 'web@2');
    expect(world.holding('prod')).toEqual(['approval']);
    world.approveAll();
    expect(world.set('prod')).toBe('api@1+web@1');
    for (const request of world.requests()) world.vote(request, 'bob', ['*']);
    world.settle();
    expect(world.set('prod')).toBe('api@1+web@2');
  });

  test('S-5 a promotion that waits for one application leaves the wish for another alone', () => {
    const world = new TwoApps();
    world.ask({ kind: 'acquire-lock', lock: 'l', scope: { kind: 'environment', id: 'alpha' }, holder: 'ann', reason: 'looking', includeRollback: false });
    const web = world.bring('alpha', 'web@1');
    const api = world.bring('alpha', 'api@1');
    expect([web, api].map((id) => world.state.promotions.get(id)?.phase)).toEqual(['waiting', 'waiting']);
    world.ask({ kind: 'abort-promotion', promotion: web });
    world.ask({ kind: 'release-lock', lock: 'l', holder: 'ann' });
    world.settle();
    expect(world.set('alpha')).toBe('api@1');
  });

  test('L-7 a lock that comes between two applications does not leave a set half done; a window that closes holds the next', () => {
    const world = new TwoApps();
    const promotion = world.id('set');
    world.ask({ kind: 'promote', promotion, environment: 'alpha', revision: 'web@1+api@1' });
    while (world.state.environments.get('alpha')?.continuing === undefined || world.state.environments.get('alpha')?.activeDeployment !== undefined) world.step();
    world.ask({ kind: 'acquire-lock', lock: 'l', scope: { kind: 'all' }, holder: 'ann', reason: 'looking', includeRollback: false });
    world.ask({ kind: 'start-freeze', freeze: 'f', scope: { kind: 'all' }, reason: 'incident', until: world.now + minuteMs });
    world.settle();
    expect(world.state.promotions.get(promotion)?.phase).toBe('deploying');
    world.wait(minuteMs);
    expect(world.set('alpha')).toBe('api@1+web@1');
  });

  test('R-12 brings a late machine every application', () => {
    const world = new TwoApps();
    world.bring('alpha', 'web@1+api@1');
    world.ask({
      kind: 'create-token', token: 'late', use: 'join', name: 'late', secretDigest: 'a'.repeat(64), scopes: [], roles: ['agent'],
      environments: ['alpha'], labels: { env: 'alpha' }, usesMax: 1, expiresAt: world.now + 1,
    });
    world.ask({ kind: 'enrol-member', token: 'late', member: 'late', name: 'late', publicKey: 'late', roles: ['agent'], attributes: {} });
    world.settle();
    expect(world.running('alpha')).toEqual(['api@1+web@1']);
  });

  test.each([
    ['1', "'1' may be of api, web: say whose, such as 'api@1'"],
    ['web@1+web@1', "'web@1+web@1' names application 'web' twice"],
    ['db@1', "environment 'alpha' does not run application 'db'; it runs api, web"],
    ['web@7', "application 'web' has no revision 'web@7'; the latest is web@1"],
  ])('says what is wrong with %s', (revision, message) => {
    expect(new TwoApps().try({ kind: 'promote', promotion: 'p', environment: 'alpha', revision })).toMatchObject({ kind: 'refused', message });
  });
});

describe('a pipeline that is applied', () => {
  test('G-1 makes its applications and environments, or nothing at all', () => {
    const world = new PipelineWorld([]);
    const before = world.state.head;
    const environments = [{ environment: 'beta', apps: ['web', 'api'], selector: { env: 'beta' }, config: { ...config, minHealthy: '100%' as const } }];
    const spec = pipeline({ stages: [{ stage: 'beta', environments: [place('beta')] }], edges: [edge('web', 'beta')] });
    const command = { kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec, apps: ['web', 'api'], environments } as const;
    expect(world.try(command)).toMatchObject({ kind: 'refused', code: 'invalid' });
    expect(world.state.head).toBe(before);
    const good = { ...command, environments: environments.map((one) => ({ ...one, config })) };
    world.ask(good);
    expect([...world.state.environments.values()].map(({ environment, apps }) => [environment, apps])).toEqual([['beta', ['web', 'api']]]);
    const applied = world.state.head;
    world.ask(good);
    expect(world.state.head).toBe(applied);
    expect(setIdOf({ b: 'y', a: 'x' })).toBe('a@x+b@y');
  });
});
