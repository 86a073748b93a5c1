// Overrides as people use them: one for the windows of an environment, two people where two are demanded, and a look at it afterwards by
// somebody who had no part in it. And what a pipeline says that an application always needs.

import { describe, expect, it } from 'vitest';
import type { TimeWindow } from '../../../../proto/window.ts';
import type { CompliancePolicy, PipelineSpec } from '../../../../proto/pipeline.ts';
import { edge, hourMs, pipeline, PipelineWorld, place } from '../../../support/pipeline-world.ts';

const night = (window: string, group: string): TimeWindow => ({
  window, kind: 'allow', timeZone: 'UTC', onClose: 'pause', override: { group, count: 1 },
  schedule: { kind: 'weekly', rows: [{ days: ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'], times: { from: '01:00', to: '02:00' } }] },
});
const signed: CompliancePolicy = { policy: 'pci', framework: 'PCI', version: 1, mode: 'enforce', environments: ['prod'], requires: [{ rule: 'signedArtifacts', keys: ['release'] }], breakGlass: { group: 'commanders', count: 1, expiresMs: 4 * hourMs, requireReview: true } };

/** Prod, with what holds web@1 back there at noon. */
function world(more: Partial<PipelineSpec>, windows: readonly string[] = []): PipelineWorld {
  const made = new PipelineWorld(['prod']);
  for (const name of ['ann', 'bob', 'cid']) made.ask({ kind: 'create-token', token: name, use: 'api', name, secretDigest: 'a'.repeat(64), scopes: ['read:*'], roles: [], environments: [], labels: {}, usesMax: 1, expiresAt: made.now + 24 * hourMs });
  made.actor = 'token:ann';
  made.apply(pipeline({ stages: [{ stage: 'prod', environments: [place('prod', { windows })] }], edges: [edge('web', 'prod', { auto: false })], ...more }));
  made.push(1);
  made.promote('prod', 1);
  made.settle();
  return made;
}

function lift(made: PipelineWorld, ...lifts: readonly string[]): void {
  made.ask({ kind: 'request-override', request: 'over', environment: 'prod', revision: '1', lifts, reason: 'checkout is down' });
}

describe('an override of windows', () => {
  it('of one of several that allow is enough, as one that is open would be', () => {
    const made = world({ windows: [night('shop', 'ops'), night('bank', 'bankers')] }, ['shop', 'bank']);
    expect(made.holding('prod')).toEqual(['window', 'window']);
    lift(made, 'window:shop');
    expect(made.vote('over', 'bob', ['ops']).kind).toBe('accepted');
    made.settle();
    expect([made.holding('prod'), made.runs('prod')]).toEqual([[], 1]);
    expect(made.facts('deployment.started')[0]?.exemptions).toEqual([{ gate: 'window', why: 'override', ref: 'over' }]);
  });

  it('of one that allows does not open one that denies', () => {
    const freeze: TimeWindow = { window: 'holidays', kind: 'deny', timeZone: 'UTC', onClose: 'pause', schedule: { kind: 'once', from: '2026-05-01T00:00', to: '2026-07-01T00:00' } };
    const made = world({ windows: [night('shop', 'ops'), freeze] }, ['shop', 'holidays']);
    lift(made, 'window:shop');
    made.vote('over', 'bob', ['ops']);
    made.settle();
    expect(made.holding('prod')).toEqual(['window']);
  });

  it('A-3 takes two people where two are demanded: who asked is one of them at most', () => {
    const made = world({ windows: [{ ...night('shop', 'ops'), override: { group: 'ops', count: 2 } }] }, ['shop']);
    lift(made, 'window:shop');
    made.vote('over', 'ann', ['ops']);
    made.vote('over', 'ann', ['ops']);
    made.settle();
    expect(made.runs('prod')).toBe(0);
    made.vote('over', 'bob', ['ops']);
    made.settle();
    expect(made.runs('prod')).toBe(1);
  });
});

describe('C-1 a policy that is lifted', () => {
  it('is reviewed once it was used, by somebody who neither asked nor said yes', () => {
    const made = world({ policies: [signed] });
    lift(made, 'policy:pci');
    const review = (by: string, comment = 'seen; the key was lost') => made.try({ kind: 'review-override', request: 'over', by, comment });
    expect(review('cid')).toMatchObject({ kind: 'refused', message: "override 'over' was not used, so that there is nothing to review" });
    made.vote('over', 'bob', ['commanders']);
    made.settle();
    expect([made.runs('prod'), made.state.requests.get('over')?.used?.deployment]).toEqual([1, 'prod-1']);
    expect(review('ann')).toMatchObject({ kind: 'refused', code: 'forbidden' });
    expect(review('bob')).toMatchObject({ kind: 'refused', code: 'forbidden' });
    expect(review('cid', ' ')).toMatchObject({ kind: 'refused', code: 'invalid' });
    expect(review('cid').kind).toBe('accepted');
    expect(made.state.requests.get('over')?.reviewed).toMatchObject({ by: 'cid', comment: 'seen; the key was lost' });
    expect(review('dan')).toMatchObject({ kind: 'refused', message: "override 'over' was reviewed by cid already" });
  });

  it('is not, where nobody wrote that it must be', () => {
    const made = world({ policies: [{ ...signed, breakGlass: { group: 'commanders', count: 1, expiresMs: hourMs } }] });
    lift(made, 'policy:pci');
    made.vote('over', 'bob', ['commanders']);
    made.settle();
    expect([made.runs('prod'), made.state.requests.get('over')?.used]).toEqual([1, undefined]);
    expect(made.try({ kind: 'review-override', request: 'over', by: 'cid', comment: 'seen' })).toMatchObject({ kind: 'refused', code: 'conflict' });
  });
});

describe('what a pipeline says that an application needs', () => {
  it('U-1 holds every revision of it, whatever the revision says', () => {
    for (const [version, holding] of [['>=22.3 <23', []], ['>=24', ['node-requirement']]] as const) {
      const made = world({ requirements: [{ app: 'web', requires: [{ node: 'node-runtime', version }] }, { app: 'api', requires: [{ node: 'jvm', version: '>=21' }] }] });
      expect(made.holding('prod')).toEqual(holding);
    }
  });

  it('is refused when it is no range, as labels are that are none', () => {
    const made = world({});
    const spec = pipeline({ stages: [{ stage: 'prod', environments: [place('prod')] }], edges: [edge('web', 'prod')], requirements: [{ app: 'web', requires: [{ node: 'jvm', version: 'new' }] }], labels: { 'Team!': 'a' } });
    expect(made.try({ kind: 'apply-pipeline', pipeline: 'shop', project: 'shop', spec })).toMatchObject({
      kind: 'refused',
      problems: [expect.stringContaining("label 'Team!': "), expect.stringContaining("application 'web' requires jvm 'new', which is not a range")],
    });
  });
});
