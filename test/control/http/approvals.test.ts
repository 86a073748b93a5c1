// Requests for approval, overrides and compliance over the API: whose word counts is the token's, what is lifted says by whom, and the
// evidence of a decision is found again from the journal alone.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CompliancePolicy } from '../../../proto/pipeline.ts';
import { edge, hourMs, pipeline, place } from '../../support/pipeline-world.ts';
import { governed, type Governed } from './governed.ts';
import { until, type Answer } from './harness.ts';

const people = { rules: [{ group: 'qa', count: 1 }, { group: 'product', count: 1 }], preventSelfApproval: true, expiresAfterMs: 24 * hourMs } as const;
const stages = [{ stage: 'alpha', environments: [place('alpha')] }, { stage: 'prod', environments: [place('prod')] }];
const approvalSpec = pipeline({ stages, edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false, approval: people })] });

let system: Governed;
beforeAll(async () => void (system = await governed({ spec: approvalSpec, pushed: 2, inAlpha: 2 })), 30_000);
afterAll(async () => await system[Symbol.asyncDispose]());

async function promote({ control }: Governed, token: string, revision: number, more: Readonly<Record<string, unknown>> = {}): Promise<string> {
  return (await control.post('/v1/promotions', { environment: 'prod', revision: `web@${revision}`, ...more }, { token })).body.promotion;
}

const held = async ({ control }: Governed, promotion: string): Promise<readonly string[]> => types(await control.get(`/v1/promotions/${promotion}/explain`));
const types = (answer: Answer): readonly string[] => answer.body.blockers.map(({ type }: { readonly type: string }) => type);
const phase = async ({ control }: Governed, promotion: string): Promise<string> => (await control.get(`/v1/promotions/${promotion}`)).body.phase;
const going = async (at: Governed, promotion: string): Promise<true> => await until(async () => ((await phase(at, promotion)) === 'deploying' ? true : undefined));

/** The request that is open for web@1; it is made soon after what needs it. */
async function requested({ control }: Governed, purpose: string): Promise<string> {
  type One = { readonly approval: string; readonly members: readonly { readonly number: number }[] };
  return await until(async () => (await control.get(`/v1/approvals?status=open&purpose=${purpose}`)).body.items.find(({ members }: One) => members[0]?.number === 1)?.approval);
}

describe('whose word counts', { timeout: 30_000 }, () => {
  test('A-3 CDS-10 is who the token names: no author, nobody who asked, no person twice, nobody outside the groups', async () => {
    const { control } = system;
    await control.post('/v1/apps/web/revisions/1/describe', { changes: [{ commit: 'c1', author: 'Quinn Doe <quinn@example.org>', message: 'faster', checkedInAt: 1 }] });
    // Held by a lock as well, so that nothing starts while people speak.
    const lock = await control.post('/v1/locks', { scope: { kind: 'environment', id: 'prod' }, reason: 'trial' });
    const olga = await system.person('olga', ['qa', 'product'], ['read:*', 'promote:*', 'approve:*']);
    const promotion = await promote(system, olga, 1);
    const request = await requested(system, 'promotion');
    const say = async (token: string): Promise<Answer> => await control.call('POST', `/v1/approvals/${request}/approve`, { body: {}, token });

    expect((await say(olga)).body).toMatchObject({ status: 403, detail: 'olga wrote or asked for a part of it, and cannot approve it; ask somebody else' });
    expect((await say(await system.person('quinn', ['qa']))).body).toMatchObject({ status: 403, detail: expect.stringContaining('quinn wrote or asked') });
    expect((await say(await system.person('eve', ['marketing']))).body).toMatchObject({ status: 403, detail: expect.stringContaining("is for group 'qa', group 'product', which eve is not in") });
    expect((await say(await system.person('pat', ['product'], ['read:*', 'approve:env/alpha']))).body).toMatchObject({ status: 403, detail: expect.stringContaining("'approve:env/prod'") });
    // A person in both groups, with two tokens, fills one place.
    const ada = await system.person('ada', ['qa', 'product']);
    expect((await say(ada)).body).toMatchObject({ status: 'open', missing: [{ group: expect.any(String), count: 1 }], mine: { may: false, why: 'ada has approved it already' } });
    expect((await say(await system.person('ada', ['qa', 'product']))).body.missing).toHaveLength(1);
    expect(await held(system, promotion)).toEqual(expect.arrayContaining(['approval', 'lock']));

    const bob = await system.person('bob', ['qa']);
    const inbox = async (token: string): Promise<readonly string[]> => (await control.get('/v1/approvals?assignee=me', { token })).body.items.map((one: { readonly approval: string }) => one.approval);
    expect(await inbox(bob)).toContain(request);
    expect(await inbox(olga)).not.toContain(request);
    expect((await say(bob)).status).toBe(200);
    await until(async () => ((await control.get(`/v1/approvals/${request}`)).body.status === 'approved' ? true : undefined));
    expect(await held(system, promotion)).not.toContain('approval');

    // what is taken back before the start counts no more, at once.
    expect((await control.post(`/v1/approvals/${request}/revoke`, { reason: 'saw an error' }, { token: bob })).body.votes).toMatchObject([{ by: 'ada' }, { by: 'bob', revokedAt: expect.any(Number) }]);
    expect(await held(system, promotion)).toContain('approval');
    await until(async () => ((await control.get(`/v1/approvals/${request}`)).body.status === 'revoked' ? true : undefined));
    expect((await control.get('/v1/approvals?status=revoked')).body.items).toHaveLength(1);
    expect((await control.get('/v1/approvals?environment=alpha')).body.items).toEqual([]);

    const again = await control.post(`/v1/approvals/${request}/ask-again`, { reason: 'it was another service' }, { token: olga });
    expect(again.body).toMatchObject({ status: 'open', votes: [], excluded: expect.arrayContaining(['olga']), reason: 'it was another service' });
    const path = `/v1/approvals/${again.body.approval}`;
    expect((await control.call('POST', `${path}/reject`, { body: {}, token: bob })).status).toBe(400);
    await control.post(`${path}/reject`, { comment: 'not on a Monday' }, { token: bob });
    await until(async () => ((await control.get(path)).body.outcome === 'bob said no: not on a Monday' ? true : undefined));
    expect((await control.call('POST', `${path}/approve`, { body: {}, token: ada })).body).toMatchObject({ status: 409, detail: expect.stringContaining('was rejected already') });
    await control.post(`/v1/locks/${lock.body.lock}/break`, { reason: 'trial is over' });
    // What people said no to waits for nothing more.
    expect([await held(system, promotion), await phase(system, promotion)]).toEqual([[], 'rejected']);
  });

  test('O-2 a hotfix goes past approvals with a reason, never without, and the record says so', async () => {
    const { control } = system;
    const olga = await system.person('olga', [], ['read:*', 'promote:*']);
    expect((await control.call('POST', '/v1/promotions', { body: { environment: 'prod', revision: 'web@2', hotfix: true }, token: olga })).body).toMatchObject({ status: 400, detail: expect.stringContaining('needs a reason') });
    const promotion = await promote(system, olga, 2, { hotfix: true, reason: 'customers cannot pay' });
    await going(system, promotion);
    const evidence = await control.get(`/v1/promotions/${promotion}/evidence`);
    expect(evidence.body).toMatchObject({ started: true, reproduced: true, by: 'olga', reason: 'customers cannot pay', blockers: [] });
  });
});

const pci: CompliancePolicy = {
  policy: 'pci', framework: 'PCI', version: 3, mode: 'enforce', environments: ['prod'],
  requires: [{ rule: 'approvals', group: 'security', count: 1 }, { rule: 'separationOfDuties' }, { rule: 'ticket', pattern: 'CHG-[0-9]+' }],
  breakGlass: { group: 'commanders', count: 1, expiresMs: hourMs },
};
const watched: CompliancePolicy = { policy: 'signed', framework: 'custom', version: 1, mode: 'observe', environments: ['prod'], requires: [{ rule: 'signedArtifacts', keys: ['release'] }] };
const policySpec = pipeline({ stages, edges: [edge('web', 'alpha', { auto: false }), edge('alpha', 'prod', { auto: false, approval: { rules: [], preventSelfApproval: false } })], policies: [pci, watched] });

describe('compliance', { timeout: 30_000 }, () => {
  test('C-1 C-3 CDS-17 a policy that is enforced holds every way in until it is met; one that observes is recorded only', async () => {
    await using own = await governed({ spec: policySpec, pushed: 2, inAlpha: 2 });
    const olga = await own.person('olga', ['security'], ['read:*', 'promote:*', 'approve:*']);
    const promotion = await promote(own, olga, 1, { reason: 'CHG-7: new prices' });
    expect(await held(own, promotion)).toContain('compliance');
    const hotfix = await own.control.post('/v1/promotions', { environment: 'prod', revision: 'web@2', hotfix: true, reason: 'urgent' }, { token: olga });
    expect(await held(own, hotfix.body.promotion)).toContain('compliance');
    const mine = await promote(own, olga, 1, { reason: 'CHG-7: new prices' });
    const request = await requested(own, 'compliance');
    expect((await own.control.call('POST', `/v1/approvals/${request}/approve`, { body: {}, token: olga })).status).toBe(403);
    await own.control.post(`/v1/approvals/${request}/approve`, { comment: 'read it' }, { token: await own.person('sam', ['security']) });
    await going(own, mine);
    const { body } = await own.control.get(`/v1/promotions/${mine}/evidence`);
    expect(body).toMatchObject({
      started: true, reproduced: true, policies: [{ policy: 'pci', version: 3, met: true }, { policy: 'signed', mode: 'observe', met: false }],
      recorded: [{ gate: 'compliance', why: 'observe', ref: 'signed: web@1 is not signed by release' }],
    });
    expect(body.approvals.find(({ purpose }: { readonly purpose: string }) => purpose === 'compliance')).toMatchObject({ status: 'approved', votes: [{ by: 'sam', comment: 'read it' }] });
  });

  test('C-1 C-2 O-2 the glass is broken by its own group for one promotion and a while, and the evidence stays what it was when the policy is changed', async () => {
    await using own = await governed({ spec: policySpec, pushed: 2, inAlpha: 2 });
    const olga = await own.person('olga', [], ['read:*', 'promote:*']);
    const promotion = await promote(own, olga, 1, { reason: 'payments are down' });
    const ask = async (body: object): Promise<Answer> => await own.control.call('POST', `/v1/promotions/${promotion}/override`, { body, token: olga });
    expect((await ask({})).status).toBe(400);
    expect((await ask({ reason: 'x', lifts: ['window:none'] })).body).toMatchObject({ status: 403, detail: expect.stringContaining('nobody may lift window:none') });
    const asked = (await ask({ reason: 'payments are down, CHG follows' })).body;
    expect(asked).toMatchObject({ purpose: 'override', lifts: ['policy:pci'], countsForMs: hourMs, rules: [{ group: 'commanders', count: 1 }] });
    const approve = async (token: string): Promise<Answer> => await own.control.call('POST', `/v1/approvals/${asked.approval}/approve`, { body: {}, token });
    expect((await approve(await own.person('sam', ['security']))).status).toBe(403);
    expect((await approve(await own.person('carol', ['commanders']))).status).toBe(200);
    await going(own, promotion);
    const before = (await own.control.get(`/v1/promotions/${promotion}/evidence`)).body;
    expect(before).toMatchObject({ reproduced: true, policies: [{ policy: 'pci', met: false, lifted: asked.approval }, { policy: 'signed' }] });
    expect(before.recorded).toEqual(expect.arrayContaining([{ gate: 'compliance', why: 'override', ref: asked.approval }]));

    own.clock.pass(2 * hourMs);
    expect(types(await own.control.get('/v1/environments/prod/gate?revision=web@1'))).toContain('compliance');
    await own.control.restart();
    const after = (await own.control.get(`/v1/promotions/${promotion}/evidence`)).body;
    // Of the caller, not of the decision: whether they could vote is asked now.
    const lasting = ({ approvals, ...rest }: typeof before) => ({ ...rest, approvals: approvals.map(({ mine: _mine, ...one }: { readonly mine: unknown }) => one) });
    expect(lasting(after)).toEqual(lasting(before));
  });
});
