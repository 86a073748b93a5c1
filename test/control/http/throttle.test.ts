// Who is refused after many failed proofs, and whose failures count together (threats.md, H4).

import { expect, test } from 'vitest';
import { failuresMax, Throttle, windowMs } from '../../../control/http/throttle.ts';

test('H4 an address is refused after many failures, until its minute is over', () => {
  let now = 0;
  const throttle = new Throttle(() => now);
  for (let count = 0; count < failuresMax; count += 1) {
    expect(throttle.refusedFor('192.0.2.1')).toBe(0);
    throttle.failed('192.0.2.1');
  }
  expect([throttle.refusedFor('192.0.2.1'), throttle.refusedFor('192.0.2.2')]).toEqual([windowMs, 0]);
  now = windowMs;
  expect(throttle.refusedFor('192.0.2.1')).toBe(0);
});

test.each([
  ['2001:db8:1:2::7', '2001:db8:1:2:aaaa:bbbb:cccc:dddd', '2001:db8:1:3::7'],
  // Addresses come without their groups of zeros.
  ['2001:db8::7', '2001:db8::aaaa:bbbb:cccc:dddd', '2001:db8:0:1::7'],
  ['2001:db8:1::7', '2001:db8:1:0:aaaa:bbbb:cccc:dddd', '2001:db8:1:1::7'],
  ['::1', '::aaaa:0:0:1', '0:0:0:1::1'],
])('H4 %s fails together with %s, which has its first 64 bits, and not with %s', (one, same, other) => {
  const throttle = new Throttle(() => 0);
  for (let count = 0; count < failuresMax; count += 1) throttle.failed(one);
  expect([throttle.refusedFor(same), throttle.refusedFor(other)]).toEqual([windowMs, 0]);
});
