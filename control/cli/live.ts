// Lines at the bottom of a terminal that are redrawn in place, and the bar that is drawn in them. Where nobody looks, nothing is redrawn:
// a plain line now and then says how far it is.

import { stripVTControlCharacters } from 'node:util';
import type { Clock } from '../clock.ts';
import type { Terminal } from './text/terminal.ts';
import { bytesText, durationText } from './text/text.ts';

/** Between two drawings; faster is only flicker. */
const redrawMs = 80;
/** Between two plain lines. */
const plainMs = 5_000;
/** How far back the rate looks. */
const rateWindowMs = 5_000;
const barWidth = 24;

/** Redrawn lines on stderr. Does nothing where the terminal is not live. */
export interface LiveArea {
  /** Shows these lines, soon; those too wide are cut. */
  draw(lines: readonly string[]): void;
  /** Writes a message that stays, above the lines. */
  above(text: string): void;
  /** Takes the lines away. */
  clear(): void;
  /** Leaves the last lines standing. */
  keep(): void;
}

export function createLiveArea(terminal: Terminal, clock: Pick<Clock, 'monotonic'>): LiveArea {
  const { stderr, live } = terminal;
  let wanted: readonly string[] = [];
  let shown = 0;
  let drawnAt = Number.NEGATIVE_INFINITY;
  const erase = (): void => {
    if (shown > 0) stderr.write(`\u001b[${shown}A\u001b[J`);
    shown = 0;
  };
  const paint = (): void => {
    erase();
    if (wanted.length > 0) stderr.write(wanted.map((line) => `${fitted(line, stderr.columns - 1)}\n`).join(''));
    shown = wanted.length;
    drawnAt = clock.monotonic();
  };
  return {
    draw: (lines) => {
      wanted = lines;
      if (live && clock.monotonic() - drawnAt >= redrawMs) paint();
    },
    above: (text) => {
      if (live) erase();
      terminal.say(text);
      if (live) paint();
    },
    clear: () => {
      wanted = [];
      erase();
    },
    keep: () => {
      if (live) paint();
      wanted = [];
      shown = 0;
    },
  };
}

/** A line of at most `width` characters; one that is cut loses its colours, since a cut could leave one on. */
function fitted(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  return plain.length <= width ? line : `${plain.slice(0, Math.max(0, width - 1))}…`;
}

/** `███████░░░░░` for a share from 0 to 1. */
export function barText(share: number, width = barWidth): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(full) + '░'.repeat(width - full);
}

/** A measure of bytes that move. */
export interface Progress {
  /** `total` may be unknown at first, and may change. */
  update(done: number, total: number | undefined): void;
  /** Ends it; `text` stays. */
  finish(text: string): void;
  /** Ends it without a word. */
  stop(): void;
}

/** Bytes, rate and time left of one thing. */
export function createProgress(terminal: Terminal, clock: Pick<Clock, 'monotonic'>, label: string): Progress {
  const area = createLiveArea(terminal, clock);
  const seen: { readonly at: number; readonly done: number }[] = [];
  let saidAt = clock.monotonic();
  return {
    update: (done, total) => {
      const now = clock.monotonic();
      seen.push({ at: now, done });
      while (seen.length > 2 && now - (seen[0]?.at ?? now) > rateWindowMs) seen.shift();
      const text = describe(label, done, total, rateOf(seen));
      if (terminal.live) area.draw([total === undefined || total === 0 ? text : `${text.slice(0, label.length)}  ${barText(done / total)}${text.slice(label.length)}`]);
      else if (now - saidAt >= plainMs) {
        saidAt = now;
        terminal.say(text);
      }
    },
    finish: (text) => {
      area.clear();
      terminal.say(text);
    },
    stop: () => area.clear(),
  };
}

function rateOf(seen: readonly { readonly at: number; readonly done: number }[]): number | undefined {
  const [first, last] = [seen[0], seen.at(-1)];
  if (first === undefined || last === undefined || last.at - first.at < 200) return undefined;
  return ((last.done - first.done) * 1000) / (last.at - first.at);
}

function describe(label: string, done: number, total: number | undefined, rate: number | undefined): string {
  const amount = total === undefined ? bytesText(done) : `${bytesText(done)} of ${bytesText(total)}`;
  const speed = rate === undefined ? '' : `  ${bytesText(rate)}/s`;
  const left = total === undefined || rate === undefined || rate <= 0 || done >= total ? '' : `  ${durationText(((total - done) * 1000) / rate)} left`;
  return `${label}  ${amount}${speed}${left}`;
}
