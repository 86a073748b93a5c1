// Entries of the audit on the screen: each object leads where it is shown, and values fit on a line.

import { expect, test } from 'vitest';
import { addressOfObject, shortObject, sinceOf, valueText } from '../../../control/web/audit/words.ts';

test.each([
  ['environment:prod', '/environments/prod'],
  ['deployment:prod-3', '/deployments/prod-3'],
  ['target:12D3KooW', '/targets/12D3KooW'],
  ['revision:web@41', '/trace?of=web%4041'],
  ['edge:shop/alpha-to-beta', '/pipelines/shop?edge=shop%2Falpha-to-beta'],
  ['lock:lk-1', undefined],
  ['control', undefined],
])('%s is shown at %s', (object, address) => {
  expect(addressOfObject(object)).toBe(address);
});

test('values are cut where they would fill the screen, and what is not there is nothing', () => {
  expect([valueText(undefined), valueText('prod'), valueText({ on: true }), valueText('x'.repeat(200), 5)]).toEqual(['nothing', 'prod', '{"on":true}', 'xxxxx …']);
  expect([shortObject('environment:prod'), shortObject(`target:${'x'.repeat(52)}`)]).toEqual(['environment:prod', `target:${'x'.repeat(17)} …`]);
});

test('a span is looked back to the minute, so that it stays the same question', () => {
  const now = 1_000 * 3_600_000 + 59_999;
  expect([sinceOf('1h', now), sinceOf('1h', now - 59_000), sinceOf(undefined, now), sinceOf('ever', now)]).toEqual([999 * 3_600_000, 999 * 3_600_000, undefined, undefined]);
});
