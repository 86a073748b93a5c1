// Neighbours that say that they hold everything, answer each request at once, and give nothing: no deadline passes that would tell them from others.

import { describe, expect, test } from 'vitest';
import { Driver, topicInfo, type Behaviour, type NodeOptions } from './driver.ts';

const chunks = 40;
const whole = Array.from({ length: chunks }, (_, ordinal) => ordinal);
const liar = (behaviour: Behaviour): NodeOptions => ({ origin: false, behaviour, held: whole, wants: false });
const seed: NodeOptions = { origin: true, behaviour: 'honest', held: whole, wants: false };
const reader: NodeOptions = { origin: false, behaviour: 'honest', held: [], wants: true };

/** Requests that an agent made of others than the origin. */
const asked = (driver: Driver): number => driver.nodes.flatMap(({ info, effects }) => (info.member === 'm1' ? effects : [])).filter((effect) => effect.kind === 'send' && effect.message.kind === 'request' && effect.member !== 'm0').length;

describe.each<Behaviour>(['refuses', 'points', 'repents'])('a neighbour that %s', (behaviour) => {
  test.each([1, 3])('keeps nobody from the origin, nor busy with asking (%i of them)', (liars) => {
    const driver = new Driver(topicInfo(chunks), 7, [seed, reader, ...Array.from({ length: liars }, () => liar(behaviour))]);
    driver.run(60_000);
    expect(asked(driver)).toBeLessThan(liars * 200);
  });

  test('keeps nobody from what another agent holds', () => {
    const driver = new Driver(topicInfo(chunks), 7, [{ ...seed, origin: false }, reader, liar(behaviour)]);
    driver.run(60_000);
    expect(asked(driver)).toBeLessThan(200);
  });
});
