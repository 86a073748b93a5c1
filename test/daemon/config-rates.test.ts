// `rates` in agent.yaml: how it is read, and what is said of mistakes.

import { describe, expect, test } from 'vitest';
import { readConfig } from '../../daemon/config.ts';

const read = (text: string) => readConfig({ file: { path: 'agent.yaml', text }, environment: {}, flags: {}, hostname: 'host' }).rates;
const minutes = (hour: number, minute = 0): number => hour * 60 + minute;

describe('rates', () => {
  test('are unlimited when nothing is said', () => {
    expect(read('')).toEqual({ send: { hours: [] }, receive: { hours: [] }, link: {} });
  });

  test.each([
    ['40 Mbit/s', 5_000_000], ['40Mbit/s', 5_000_000], ['128 kbit/s', 16_000], ['2.5 MB/s', 2_500_000], ['1 Gbit/s', 125_000_000], ['1 MiB/s', 1_048_576],
  ])('%s is %i bytes a second', (text, bytes) => {
    expect(read(`rates: { send: { limit: ${text} } }`).send.limit).toBe(bytes);
  });

  test('differ by hour, class and direction', () => {
    const text = `rates:
  send: { limit: 100 Mbit/s, hours: [{ from: '22:00', to: '06:00', limit: unlimited }] }
  receive: { background: none, hours: [{ from: '20:30', to: '24:00', background: 8 Mbit/s }] }
  link: { send: 1 Gbit/s, receive: 1 Gbit/s }`;
    expect(read(text)).toEqual({
      send: { limit: 12_500_000, hours: [{ fromMinute: minutes(22), toMinute: minutes(6), limit: 'unlimited' }] },
      receive: { background: 0, hours: [{ fromMinute: minutes(20, 30), toMinute: 0, background: 1_000_000 }] },
      link: { send: 125_000_000, receive: 125_000_000 },
    });
  });

  test.each([
    ['rates: { send: { limit: 40 Mbps } }', /^agent\.yaml:1:18: 'rates\.send\.limit' must be a rate with its unit, such as '40 Mbit\/s'/],
    ['rates: { send: { limit: 1 kbit/s } }', /at least: below, every request would overstay/],
    ['rates: { send: { background: none } }', /unknown key 'background'/],
    ['rates: { receive: { limit: unlimited } }', /'rates\.receive\.limit' must be a rate/],
    ['rates: { receive: { hours: [{ from: "25:00", to: "06:00" }] } }', /'rates\.receive\.hours\.0\.from' must be a local time of day such as '08:30'/],
    ['rates: { recieve: {} }', /unknown key 'recieve'; did you mean 'receive'/],
  ])('%s is refused', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });
});
