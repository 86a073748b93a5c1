// Approvals and compliance: for what they count, whose votes count, and how they end.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { evaluateGates } from '../../../../control/core/gates/gates.ts';
import { isSatisfied, unfilled } from '../../../../control/core/gates/votes.ts';
import type { Vote } from '../../../../control/core/model/approval.ts';
import type { ApprovalRule, CompliancePolicy } from '../../../../proto/pipeline.ts';
import { PipelineWorld, dayMs, digestOf, edge, hourMs, pipeline, place } from '../../../support/pipeline-world.ts';

const qaAndProduct = { rules: [{ group: 'qa', count: 1 }, { group: 'product', count: 1 }], preventSelfApproval: true, expiresAfterMs: dayMs } as const;

function asked(more: Parameters<typeof pipeline>[0] = {}): PipelineWorld {
  const world = new PipelineWorld(['alpha', 'prod', 'eu']);
  world.apply(pipeline({
    stages: [{ stage: 'alpha', environments: [place('alpha')] }, { stage: 'prod', environments: [place('prod'), place('eu')] }],
    edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: qaAndProduct }), edge('alpha', 'eu', { approval: qaAndProduct })],
    ...more,
  }));
  return world;
}

function flow(world: PipelineWorld, number: number, author?: string): void {
  world.push(number);
  if (author !== undefined) world.ask({ kind: 'describe-revision', app: 'web', revision: String(number), description: { changes: [{ commit: `c${number}`, author, message: 'x', checkedInAt: world.now }] } });
  world.settle();
}

function requestFor(world: PipelineWorld, destination: string, number: number): string {
  const found = [...world.state.requests.values()].findLast((one) => one.subject.destination === destination && one.subject.members['web'] === digestOf(number));
  if (found === undefined) throw new Error(`nobody was asked about web@${number} for ${destination}`);
  return found.request;
}

function approve(world: PipelineWorld, request: string): void {
  world.vote(request, 'quinn', ['qa']);
  world.vote(request, 'pat', ['product']);
  world.settle();
}

const status = (world: PipelineWorld, request: string): string | undefined => world.state.requests.get(request)?.status;

describe('an approval', () => {
  it('A-5 counts for its destination only', () => {
    const world = asked();
    flow(world, 1);
    approve(world, requestFor(world, 'prod', 1));
    expect([world.runs('prod'), world.runs('eu')]).toEqual([1, 0]);
  });

  it('A-3 is not given by an author who became known after people were asked', () => {
    const world = asked();
    flow(world, 1);
    world.ask({ kind: 'describe-revision', app: 'web', revision: '1', description: { changes: [{ commit: 'c1', author: 'Quinn <quinn@example.org>', message: 'x', checkedInAt: world.now }] } });
    approve(world, requestFor(world, 'prod', 1));
    expect([world.runs('prod'), world.holding('prod')]).toEqual([0, []]);
    expect(world.wouldHold('prod', 1)).toContain('approval');
    world.vote(requestFor(world, 'prod', 1), 'ada', ['qa']);
    world.settle();
    expect(world.runs('prod')).toBe(1);
  });

  it('A-1 counts for the identical set only', () => {
    const world = asked();
    world.ask({ kind: 'set-automation', scope: { kind: 'edge', id: 'shop/alpha-prod' }, on: false });
    flow(world, 1);
    approve(world, requestFor(world, 'prod', 1));
    flow(world, 2);
    expect(world.wouldHold('prod', 1)).not.toContain('approval');
    expect(world.wouldHold('prod', 2)).toContain('approval');
  });

  it('A-2 is asked anew when what must be said is changed', () => {
    const world = asked();
    world.ask({ kind: 'set-automation', scope: { kind: 'edge', id: 'shop/alpha-prod' }, on: false });
    flow(world, 1);
    const [before] = [requestFor(world, 'prod', 1)];
    approve(world, before);
    const stricter = { ...qaAndProduct, rules: [...qaAndProduct.rules, { group: 'security', count: 1 }] };
    world.apply(pipeline({
      stages: [{ stage: 'alpha', environments: [place('alpha')] }, { stage: 'prod', environments: [place('prod'), place('eu')] }],
      edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: stricter }), edge('alpha', 'eu', { approval: qaAndProduct })],
    }));
    world.settle();
    expect(status(world, before)).toBe('invalidated');
    expect(world.wouldHold('prod', 1)).toContain('approval');
    expect(requestFor(world, 'prod', 1)).not.toBe(before);
  });

  it('A-3 is not given by an author, nor twice by one person', () => {
    const world = asked();
    flow(world, 1, 'quinn');
    const request = requestFor(world, 'prod', 1);
    expect(world.vote(request, 'quinn', ['qa'])).toMatchObject({ code: 'forbidden' });
    world.vote(request, 'ada', ['qa', 'product']);
    world.settle();
    expect([status(world, request), world.runs('prod')]).toEqual(['open', 0]);
    world.vote(request, 'bob', ['qa']);
    world.settle();
    expect(world.runs('prod')).toBe(1);
  });

  it('A-3 is not given by who asked for the promotion by hand', () => {
    const world = asked({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: { rules: [{ group: '*', count: 1 }], preventSelfApproval: true }, auto: false })] });
    world.push(1);
    world.ask({ kind: 'set-automation', scope: { kind: 'edge', id: 'shop/web-alpha' }, on: false });
    world.promote('alpha', 1);
    world.actor = 'ada';
    world.promote('prod', 1);
    world.settle();
    const [request = ''] = [...world.state.requests.values()].filter((one) => one.subject.destination === 'prod').map((one) => one.request);
    expect(world.state.requests.get(request)?.excluded).toContain('ada');
    expect(world.vote(request, 'ada')).toMatchObject({ code: 'forbidden' });
    world.vote(request, 'bob');
    world.settle();
    expect(world.runs('prod')).toBe(1);
  });

  it('A-4 ends by one vote against, and by time; neither lets anything start', () => {
    const world = asked();
    flow(world, 1);
    world.vote(requestFor(world, 'prod', 1), 'quinn', ['qa'], 'reject');
    world.settle();
    world.wait(dayMs);
    expect([status(world, requestFor(world, 'prod', 1)), status(world, requestFor(world, 'eu', 1))]).toEqual(['rejected', 'expired']);
    expect([world.runs('prod'), world.runs('eu')]).toEqual([0, 0]);
    expect(world.vote(requestFor(world, 'eu', 1), 'pat', ['product'])).toMatchObject({ code: 'conflict' });
  });

  it('A-4 that is taken back before the start does not count', () => {
    const world = asked({ edges: [edge('web', 'alpha'), edge('alpha', 'prod', { approval: qaAndProduct, soakMs: hourMs })] });
    flow(world, 1);
    const request = requestFor(world, 'prod', 1);
    approve(world, request);
    expect(world.holding('prod')).toEqual(['soak']);
    world.ask({ kind: 'revoke-vote', request, by: 'pat', reason: 'saw an error' });
    // At once, and not only when the request has been settled anew.
    expect(world.holding('prod')).toEqual(['soak', 'approval']);
    world.wait(hourMs);
    expect([status(world, request), world.runs('prod')]).toEqual(['revoked', 0]);
  });

  it('A-7 with two open, the older goes on only if the policy selects it', () => {
    const world = asked();
    flow(world, 1);
    flow(world, 2);
    const [older, newer] = [requestFor(world, 'prod', 1), requestFor(world, 'prod', 2)];
    approve(world, older);
    expect(world.runs('prod')).toBe(1);
    approve(world, newer);
    expect(world.runs('prod')).toBe(2);
    flow(world, 3);
    flow(world, 4);
    approve(world, requestFor(world, 'prod', 4));
    expect(world.runs('prod')).toBe(4);
    expect(status(world, requestFor(world, 'prod', 3))).toBe('cancelled');
  });

  it('A-8 is asked for what is older than what is there, when somebody wants exactly that, and once whatever the clock says', () => {
    const world = asked();
    flow(world, 1);
    flow(world, 2);
    approve(world, requestFor(world, 'prod', 2));
    expect(world.runs('prod')).toBe(2);
    world.wait(hourMs);
    world.promote('prod', 1);
    // The clock was wrong when it was promoted: what is decided now seems to have been decided before.
    world.now -= 2 * hourMs;
    world.settle();
    const open = [...world.state.requests.values()].filter((one) => one.status === 'open' && one.subject.destination === 'prod');
    expect([open.map(({ subject }) => subject.members['web']), world.holding('prod')]).toEqual([[digestOf(1)], ['approval']]);
    approve(world, requestFor(world, 'prod', 1));
    expect(world.runs('prod')).toBe(1);
  });

  it('A-8 is not asked for what is pinned away, vetoed, or held by what no person can lift', () => {
    const world = asked();
    world.ask({ kind: 'place-pin', environment: 'prod', revision: (world.push(9), '1'), reason: 'x' });
    flow(world, 2);
    expect([...world.state.requests.values()].map((one) => one.subject.destination)).toEqual(['eu']);
    world.ask({ kind: 'place-veto', app: 'web', revision: '2', reason: 'bad' });
    world.settle();
    expect(status(world, requestFor(world, 'eu', 2))).toBe('invalidated');
  });
});

describe('A-3 isSatisfied()', () => {
  const groups = ['a', 'b', 'c'] as const;
  const vote = (by: number, of: readonly string[]): Vote => ({ by: `p${by}`, decision: 'approve', groups: of, at: 0 });

  it('says yes exactly when some assignment of distinct people fills every place', () => {
    const cases = fc.record({
      people: fc.array(fc.subarray([...groups]), { maxLength: 5 }),
      counts: fc.tuple(fc.nat(2), fc.nat(2), fc.nat(2)),
    });
    fc.assert(fc.property(cases, ({ people, counts }) => {
      const rules: ApprovalRule[] = groups.map((group, index) => ({ group, count: counts[index] ?? 0 })).filter((rule) => rule.count > 0);
      const votes = people.map((of, index) => vote(index, of));
      // The slow way: every person tries every place, one after the other.
      const fill = (left: readonly number[], index: number): boolean => {
        if (left.every((count) => count === 0)) return true;
        const of = people[index];
        if (of === undefined) return false;
        return fill(left, index + 1) || groups.some((group, place) => of.includes(group) && (left[place] ?? 0) > 0 && fill(left.with(place, (left[place] ?? 0) - 1), index + 1));
      };
      const possible = fill(counts, 0);
      expect(isSatisfied({ votes, rules, excluded: [] })).toBe(possible);
      expect(unfilled({ votes, rules, excluded: [] }).length === 0).toBe(possible);
      expect(isSatisfied({ votes, rules, excluded: votes.map((one) => one.by) })).toBe(rules.length === 0);
      expect(isSatisfied({ votes: votes.map((one) => ({ ...one, revokedAt: 1 })), rules, excluded: [] })).toBe(rules.length === 0);
    }), { numRuns: 2000 });
  });
});

describe('compliance', () => {
  it('A-3 C-1 one person in two groups is not both of the people that a policy demands', () => {
    const both: CompliancePolicy = { policy: 'sox', framework: 'SOX', version: 1, mode: 'enforce', environments: ['prod'], requires: [{ rule: 'approvals', group: 'qa', count: 1 }, { rule: 'approvals', group: 'product', count: 1 }] };
    const world = asked({ policies: [both], edges: [edge('web', 'alpha'), edge('alpha', 'prod', { auto: false, approval: { rules: [], preventSelfApproval: false } })] });
    flow(world, 1);
    world.ask({ kind: 'acquire-lock', lock: 'l', scope: { kind: 'all' }, holder: 'ada', reason: 'x', includeRollback: false });
    world.promote('prod', 1);
    world.settle();
    const [request = ''] = world.requests();
    world.vote(request, 'quinn', ['qa']);
    world.vote(request, 'ada', ['qa', 'product']);
    world.settle();
    expect(world.holding('prod')).toEqual(['lock']);
    world.ask({ kind: 'revoke-vote', request, by: 'quinn', reason: 'no' });
    expect(world.holding('prod')).toEqual(['lock', 'compliance']);
  });

  const pci: CompliancePolicy = {
    policy: 'pci', framework: 'PCI', version: 1, mode: 'enforce', environments: ['prod'],
    requires: [{ rule: 'approvals', group: 'security', count: 1 }, { rule: 'signedArtifacts', keys: ['release'] }, { rule: 'testedIn', environment: 'alpha' }, { rule: 'ticket', pattern: 'CHG-[0-9]+' }, { rule: 'separationOfDuties' }],
    breakGlass: { group: 'commanders', count: 1, expiresMs: hourMs },
  };

  function strict(mode: CompliancePolicy['mode'] = 'enforce'): PipelineWorld {
    const world = asked({ policies: [{ ...pci, mode }], edges: [edge('web', 'alpha'), edge('alpha', 'prod', { auto: false, approval: { rules: [], preventSelfApproval: false } })] });
    flow(world, 1, 'ada');
    return world;
  }

  it('C-1 unmet, it holds every way in, a hotfix too; met, it lets go', () => {
    const world = strict();
    expect(world.wouldHold('prod', 1, { cause: 'auto' })).toContain('compliance');
    expect(world.wouldHold('prod', 1, { cause: 'hotfix', reason: 'CHG-1' })).toContain('compliance');
    world.promote('prod', 1, { reason: 'for CHG-42, at last' });
    world.settle();
    expect(world.holding('prod')).toEqual(['compliance']);
    world.ask({ kind: 'describe-revision', app: 'web', revision: '1', description: { signedBy: ['release'] } });
    const [request = ''] = world.requests();
    expect(world.vote(request, 'ada', ['security'])).toMatchObject({ code: 'forbidden' });
    world.vote(request, 'sam', ['security']);
    world.settle();
    expect(world.runs('prod')).toBe(1);
  });

  it('C-1 each rule holds alone', () => {
    for (const rule of pci.requires.filter((one) => one.rule !== 'separationOfDuties')) {
      const world = asked({ policies: [{ ...pci, requires: [rule] }], edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false, approval: { rules: [], preventSelfApproval: false } })] });
      flow(world, 1);
      expect(world.wouldHold('prod', 1)).toContain('compliance');
    }
  });

  it('C-1 break-glass needs its own group, and is over after its time', () => {
    const world = strict();
    world.ask({ kind: 'request-override', request: 'glass', environment: 'prod', revision: '1', lifts: ['policy:pci'], reason: 'outage' });
    expect(world.vote('glass', 'sam', ['security'])).toMatchObject({ code: 'forbidden' });
    world.vote('glass', 'carol', ['commanders']);
    world.settle();
    expect(world.wouldHold('prod', 1)).toEqual([]);
    world.now += hourMs;
    expect(world.wouldHold('prod', 1)).toContain('compliance');
  });

  it('C-3 a policy that observes holds nothing, and what it saw is recorded with the deployment', () => {
    const world = strict('observe');
    expect(evaluateGates(world.state, { environment: 'prod', app: 'web', revision: digestOf(1), number: 1, trigger: 'manual', createdAt: 0 }, world.observed).blockers).toEqual([]);
    world.promote('prod', 1);
    world.settle();
    expect(world.facts('deployment.started').at(-1)?.exemptions).toMatchObject([{ gate: 'compliance', why: 'observe', ref: expect.stringMatching(/^pci: .*signed/) as string }]);
  });
});
