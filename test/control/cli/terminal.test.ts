// What reaches a terminal: nothing from outside does anything to it, redrawing happens only where a person looks, and every format
// says the same.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { visible, visibleLines } from '../../../control/cli/text/escape.ts';
import { createProgress } from '../../../control/cli/live.ts';
import { createTerminal, errorText, formats, type Format, type Terminal } from '../../../control/cli/text/terminal.ts';
import { testWorld, type TestWorld } from './world.ts';

const attacks = {
  colour: '\u001b[31mred',
  title: '\u001b]0;owned\u0007',
  link: '\u001b]8;;http://evil.example\u001b\\click\u001b]8;;\u001b\\',
  clipboard: '\u001b]52;c;aGVsbG8=\u0007',
  'C1 string terminator': '\u009d0;owned\u009c',
  'cursor up': 'ok\u001b[1A\u001b[2Kfailed',
  'carriage return': 'failed\rok    ',
  backspace: 'no\b\byes',
  'right to left': 'abc\u202etxt.exe',
  'zero width': 'pa\u200bypal',
};
const harmful = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/;

function terminalOf(format: Format, tty: boolean): { readonly world: TestWorld; readonly terminal: Terminal } {
  const world = testWorld({ tty });
  return { world, terminal: createTerminal(world, { format, quiet: false, colour: false }) };
}

interface Item {
  readonly name: string;
}
const look = { columns: [{ title: 'NAME', cell: ({ name }: Item) => name }], name: ({ name }: Item) => name };

describe('text from outside', () => {
  test.each(Object.entries(attacks))('%s does nothing in any format', (_what, text) => {
    for (const format of formats) {
      for (const tty of [false, true]) {
        const { world, terminal } = terminalOf(format, tty);
        terminal.list([{ name: text }], look);
        expect(world.written.out).not.toMatch(harmful);
      }
    }
    expect(errorText(text)).not.toMatch(harmful);
    expect(visible(text)).not.toMatch(harmful);
  });

  test('is never harmful, whatever it is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(visible(text)).not.toMatch(/[\n\t]/);
        expect(visible(text)).not.toMatch(harmful);
        expect(visibleLines(text)).not.toMatch(harmful);
      }),
    );
  });

  test('is the same value in JSON and YAML as it was', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        const json = terminalOf('json', false);
        json.terminal.list([{ name }], look);
        expect(JSON.parse(json.world.written.out)).toEqual([{ name }]);
        const yaml = terminalOf('yaml', false);
        yaml.terminal.list([{ name }], look);
        expect(yaml.world.written.out).not.toMatch(harmful);
        expect(parse(yaml.world.written.out)).toEqual([{ name }]);
      }),
    );
  });
});

describe('formats', () => {
  const items = [{ name: 'one' }, { name: 'two' }];

  test.each([
    ['table', 'NAME\none\ntwo\n'],
    ['name', 'one\ntwo\n'],
    ['jsonl', '{"name":"one"}\n{"name":"two"}\n'],
    ['yaml', '- name: one\n- name: two\n'],
  ] as const)('%s', (format, expected) => {
    const { world, terminal } = terminalOf(format, false);
    terminal.list(items, look);
    expect(world.written.out).toBe(expected);
  });

  test('an empty list says so on stderr, and is an empty list in JSON', () => {
    const table = terminalOf('table', false);
    table.terminal.list([], { ...look, empty: 'nothing yet' });
    expect(table.world.written).toEqual({ out: '', err: 'nothing yet\n' });
    const json = terminalOf('json', false);
    json.terminal.list([], { ...look, empty: 'nothing yet' });
    expect(json.world.written).toEqual({ out: '[]\n', err: '' });
  });

  test.each([
    ['a terminal', { tty: true }, {}, true],
    ['a pipe', { tty: false }, {}, false],
    ['NO_COLOR', { tty: true }, { NO_COLOR: '1' }, false],
    ['an empty NO_COLOR', { tty: true }, { NO_COLOR: '' }, true],
    ['a dumb terminal', { tty: true }, { TERM: 'dumb' }, false],
  ])('colours on %s', (_what, { tty }, environment, expected) => {
    const world = testWorld({ tty, environment });
    const terminal = createTerminal(world, { format: 'table', quiet: false, colour: true });
    expect(terminal.paint('red', 'x') !== 'x').toBe(expected);
  });
});

describe('progress', () => {
  function upload(tty: boolean, quiet = false): string {
    const world = testWorld({ tty });
    const terminal = createTerminal(world, { format: 'table', quiet, colour: false });
    let now = 0;
    const progress = createProgress(terminal, { monotonic: () => now }, 'Uploading');
    for (let step = 0; step <= 10; step += 1) {
      progress.update(step * 1_000_000, 10_000_000);
      now += 1_000;
    }
    progress.finish('done');
    return world.written.err;
  }

  test('is a bar with bytes, rate and time left on a terminal', () => {
    const text = upload(true);
    expect(text).toContain('█');
    expect(text).toContain('5.00 MB of 10.0 MB  1.00 MB/s  5.0 s left');
  });

  test('is a plain line now and then elsewhere', () => {
    const text = upload(false);
    expect(text).not.toContain('\u001b');
    expect(text.split('\n').filter((line) => line.startsWith('Uploading'))).toHaveLength(2);
  });

  test('is nothing with --quiet', () => {
    expect(upload(false, true)).toBe('');
    expect(upload(true, true)).toBe('');
  });
});
