// Ten thousand targets on record: lists are read page by page, filtered by the server, and stay true while the fleet changes.

import { expect, test } from 'vitest';
import { limits } from '../../../proto/limits.ts';
import type { Event } from '../../../proto/events.ts';
import { governed, type Governed } from './governed.ts';

/** With the two of the world that they come to, ten thousand. */
const count = 9_998;
const racks = 40;

function enrolled(at: number): Event {
  const name = `m-${String(at).padStart(5, '0')}`;
  const labels = { env: 'prod', rack: `r${at % racks}` };
  return { kind: 'member.enrolled', member: `member-${name}`, name, publicKey: name, roles: ['agent'], environments: ['prod'], labels, attributes: {}, serial: at + 10, token: 'join-many' };
}

/** Every name of a list, page by page; `between` is done after the first page. */
async function namesOf({ control }: Governed, query: string, between: () => Promise<unknown> = async () => undefined): Promise<readonly string[]> {
  const names: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await control.get(`/v1/targets?limit=${limits.pageItemsMax}${query}${cursor}`);
    expect(body.items.length).toBeLessThanOrEqual(limits.pageItemsMax);
    if (names.length === 0) await between();
    names.push(...body.items.map((one: { readonly name: string }) => one.name));
    if (body.next === undefined) return names;
    cursor = `&cursor=${body.next}`;
  }
}

test('CDS-20 lists of ten thousand targets are paged and filtered by the server, and nothing is shown twice or left out while one leaves', { timeout: 60_000 }, async () => {
  const token: Event = { kind: 'token.created', token: 'join-many', use: 'join', name: 'many', secretDigest: 'a'.repeat(64), scopes: [], roles: ['agent'], environments: ['prod'], labels: {}, usesMax: count, expiresAt: Date.parse('2027-01-01') };
  await using system = await governed({ more: [token, ...Array.from({ length: count }, (_, at) => enrolled(at))] });
  const revoke = async (): Promise<unknown> => await system.control.post('/v1/targets/m-00100/revoke', { reason: 'broken' });
  const all = await namesOf(system, '', revoke);
  // Who left was on the page before.
  expect(all.filter((name) => name.startsWith('m-'))).toHaveLength(count);
  expect(new Set(all).size).toBe(all.length);
  expect(all).toEqual(all.toSorted());

  const rack = await namesOf(system, '&label=rack%3Dr7');
  const expected = (wanted: readonly number[]): number => Array.from({ length: count }, (_, at) => at % racks).filter((one) => wanted.includes(one)).length;
  expect(rack).toHaveLength(expected([7]));
  expect(await namesOf(system, '&label=rack%20in%20(r7,r8),env%3Dprod&environment=prod')).toHaveLength(expected([7, 8]));
  expect(await namesOf(system, '&name=-0007')).toEqual(all.filter((name) => name.includes('-0007')));
  expect((await system.control.get('/v1/environments/prod/targets?name=m-00070')).body.items).toMatchObject([{ name: 'm-00070' }]);
  expect((await system.control.get('/v1/targets?limit=100000')).status).toBe(400);
  expect((await system.control.get('/v1/environments/prod')).body.targets).toMatchObject({ total: count + 1 });
});
