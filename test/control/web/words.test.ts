// What is said on the screen: times that people read at a glance, commands that a shell takes, and what needs a look first.

import { describe, expect, test } from 'vitest';
import { alone, byAttention, edgeStanding, environmentStanding, pipelineStanding, type EdgeNode, type EnvironmentNode } from '../../../control/web/attention.ts';
import { actorText, agoText, bytesText, commandText, setText, shellWord, spanText, timeText, untilText } from '../../../control/web/words.ts';

const now = Date.parse('2026-06-05T16:00:30Z');

describe('times', () => {
  test.each([
    [0, 'a moment'],
    [999, 'a moment'],
    [59_000, '59 s'],
    [60_000, '1 min'],
    [61_500, '1 min 1 s'],
    [3 * 3_600_000 + 12 * 60_000 + 5_000, '3 h 12 min'],
    [86_400_000, '1 d'],
    [40 * 86_400_000 + 3_600_000, '40 d 1 h'],
  ])('%i ms are %s', (ms, text) => {
    expect(spanText(ms)).toBe(text);
  });

  test('of day have their day where it is not today', () => {
    const at = (text: string): string => timeText(Date.parse(text), now, 'UTC');
    expect([at('2026-06-05T09:05Z'), at('2026-06-07T09:05Z'), at('2026-06-24T09:05Z'), at('2028-01-02T09:05Z')]).toEqual(['09:05', 'Sun 09:05', '24 Jun 09:05', '2 Jan 2028 09:05']);
    expect(timeText(Date.parse('2026-06-05T22:30Z'), now, 'Europe/Berlin')).toBe('Sat 00:30');
  });

  test('that are past and to come', () => {
    expect([agoText(now - 5_000, now), agoText(now - 3 * 3_600_000, now), untilText(now - 1, now)]).toEqual(['just now', '3 h ago', 'any moment']);
    expect(untilText(now + 3_600_000, now)).toMatch(/, in 1 h$/);
  });
});

test('commands are quoted where a shell would misread them', () => {
  expect(commandText(['lock', 'add', '--scope', 'prod', ['--reason', "don't; rm -rf $HOME"], ['--until', undefined], ['--note', '']])).toBe(String.raw`starling lock add --scope prod --reason 'don'\''t; rm -rf $HOME'`);
  expect([shellWord('shop/alpha-to-beta'), shellWord('web@41,api@7'), shellWord('')]).toEqual(['shop/alpha-to-beta', 'web@41,api@7', "''"]);
});

test.each([['olga', 'olga'], ['group:qa', 'group qa'], ['group:*', 'anybody who may approve'], ['promote:env/prod', 'whoever may promote to prod'], ['promote:*', 'whoever may promote'], ['promote:app/web', 'whoever may promote web'], ['admin:*', 'an administrator']])('actorText(%j) is %j', (actor, text) => {
  expect(actorText(actor)).toBe(text);
});

test('sets and sizes', () => {
  expect(setText([])).toBe('nothing');
  expect(setText([{ app: 'web', number: 41, revision: 'aa' }, { app: 'api', revision: '0123456789abcdef' }])).toBe('web@41 + api@0123456789ab');
  expect([0, 999, 1_000, 12_345_678, 5e14].map(bytesText)).toEqual(['0 B', '999 B', '1.0 kB', '12.3 MB', '500 TB']);
});

const edge = (more: Partial<EdgeNode> = {}): EdgeNode => ({ edge: 'shop/alpha-to-prod', from: { environment: 'alpha' }, to: 'prod', apps: ['web'], auto: true, enabled: true, automation: true, blockers: [], ...more });
const blocked = (...types: readonly string[]) => ({ blockers: types.map((type) => ({ type, reason: type, since: 0 })), candidate: [{ app: 'web', number: 2, revision: 'bb' }] });
const node = (more: Partial<EnvironmentNode> = {}): EnvironmentNode => ({ environment: 'prod', apps: ['web'], current: [{ app: 'web', number: 1, revision: 'aa' }], desired: [], targets: 1, waiting: [], locks: [], pinned: false, windows: { names: [], open: true }, ...more });

describe('what needs a look', () => {
  test('of a promotion is first whatever a person must end', () => {
    expect(edgeStanding(edge(blocked('window', 'approval')))).toEqual({ tone: 'blocked', text: 'needs approval' });
    expect(edgeStanding(edge(blocked('window')))).toEqual({ tone: 'waiting', text: 'window closed' });
    expect(edgeStanding(edge(blocked('a-new-gate')))).toEqual({ tone: 'blocked', text: 'a new gate' });
    expect(edgeStanding(edge({ enabled: false, ...blocked('approval') }))).toEqual({ tone: 'off', text: 'switched off' });
    expect(edgeStanding(edge({ held: 'after a rollback' }))).toEqual({ tone: 'blocked', text: 'on hold' });
    expect([edgeStanding(edge()).text, edgeStanding(edge({ auto: false })).text, edgeStanding(edge({ automation: false })).text]).toEqual(['automatic', 'by hand', 'automation off']);
  });

  test('of an environment is a failure before a lock, and a lock before peace', () => {
    const locks = [{ lock: 'l', reason: 'r' }];
    expect(environmentStanding(node({ locks, run: { run: 'r', workflow: 'smoke', phase: 'failed' } }), undefined)).toEqual({ tone: 'bad', text: 'smoke failed' });
    expect(environmentStanding(node({ locks }), undefined)).toEqual({ tone: 'blocked', text: 'locked' });
    expect(environmentStanding(node({ current: [] }), undefined)).toEqual({ tone: 'off', text: 'empty' });
    expect(environmentStanding(node(), undefined)).toEqual({ tone: 'well', text: 'in place' });
  });

  test('of a pipeline is the worst of its parts, by the name of the place', () => {
    const graph = { enabled: true, stages: [{ stage: 'prod', environments: [node()] }], edges: [edge(blocked('window')), edge({ to: 'eu', ...blocked('approval') })] };
    expect(pipelineStanding(graph, new Map())).toEqual({ tone: 'blocked', text: 'eu: needs approval' });
    expect(pipelineStanding({ ...graph, edges: [edge()] }, new Map())).toEqual({ tone: 'well', text: 'all in place' });
    expect(pipelineStanding({ ...graph, enabled: false }, new Map())).toEqual({ tone: 'off', text: 'disabled' });
  });

  test('of environments in no pipeline is not forgotten', () => {
    expect(alone([{ environment: 'qa' }, { environment: 'prod' }, { environment: 'lab' }], [{ stages: [{ stage: 'prod', environments: ['prod'] }] }]).map(({ environment }) => environment)).toEqual(['lab', 'qa']);
  });

  test('comes first in a list; among equals the name decides, and what is not known yet comes last', () => {
    const items = [{ name: 'b', standing: { tone: 'well', text: '' } }, { name: 'd', standing: undefined }, { name: 'c', standing: { tone: 'blocked', text: '' } }, { name: 'a', standing: { tone: 'well', text: '' } }] as const;
    expect(byAttention(items).map(({ name }) => name)).toEqual(['c', 'a', 'b', 'd']);
  });
});
