// The two streams of the command line as commands use them: data in one of the formats to stdout, messages to stderr, colours
// where a person looks. What comes from outside goes through escape.ts here, at the last moment, so that nobody can forget it.

import { styleText } from 'node:util';
import { Document } from 'yaml';
import { ControlError } from '../../errors.ts';
import { escapedJson, visible, visibleLines } from './escape.ts';
import { renderTable, type Colour, type Column } from './table.ts';
import type { Output, World } from '../world.ts';

export const formats = ['table', 'json', 'jsonl', 'yaml', 'name'] as const;
export type Format = (typeof formats)[number];

export interface TerminalOptions {
  readonly format: Format;
  readonly quiet: boolean;
  /** `false` for --no-color; the streams and NO_COLOR decide otherwise. */
  readonly colour: boolean;
}

/** How a list looks: a table for people, a name for scripts. JSON and YAML are the API's objects as they are. */
export interface ListLook<Item> {
  readonly columns: readonly Column<Item>[];
  readonly name: (item: Item) => string;
  /** Said on stderr when there is none. */
  readonly empty?: string;
}

export interface Terminal {
  readonly format: Format;
  readonly quiet: boolean;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Whether progress may be drawn on stderr, and redrawn. */
  readonly live: boolean;
  /** Writes a line of data as it is; the caller has made it visible. */
  line(text: string): void;
  /** A message for people, on stderr, unless --quiet. */
  say(text: string): void;
  /** A message that --quiet does not silence. */
  warn(text: string): void;
  /** A list in the chosen format. */
  list<Item>(items: readonly Item[], look: ListLook<Item>): void;
  /** One object in the chosen format; `text` is what people see instead of a table. */
  object<Item>(item: Item, look: { readonly text: (item: Item) => string; readonly name: (item: Item) => string }): void;
  /** One object of an endless sequence: a line each, whatever the format. */
  item<Item>(item: Item, look: { readonly text: (item: Item) => string; readonly name: (item: Item) => string }): void;
  /** Coloured for stdout, where it is a terminal that wants colours. */
  paint(colour: Colour, text: string): string;
  /** Coloured for stderr. */
  paintError(colour: Colour, text: string): string;
}

/** @throws {ControlError} CONFIG_INVALID when `text` is no format. */
export function parseFormat(text: string): Format {
  const format = formats.find((known) => known === text);
  if (format === undefined) throw new ControlError('CONFIG_INVALID', `--output: '${text}' is not a format; formats are ${formats.join(', ')}`);
  return format;
}

export function createTerminal({ stdout, stderr, environment }: Pick<World, 'stdout' | 'stderr' | 'environment'>, { format, quiet, colour }: TerminalOptions): Terminal {
  const wanted = colour && (environment['NO_COLOR'] ?? '') === '' && environment['TERM'] !== 'dumb';
  const painter = (output: Output) => (name: Colour, text: string) => (wanted && output.isTTY ? styleText(name, text, { validateStream: false }) : text);
  const paint = painter(stdout);
  const line = (text: string): void => stdout.write(`${text}\n`);
  return {
    format, quiet, stdout, stderr, line, paint,
    live: stderr.isTTY && !quiet && environment['TERM'] !== 'dumb',
    say: (text) => {
      if (!quiet) stderr.write(`${text}\n`);
    },
    warn: (text) => stderr.write(`${text}\n`),
    list: (items, { columns, name, empty }) => {
      switch (format) {
        case 'json':
          return line(jsonText(items, 2));
        case 'jsonl':
          return items.forEach((item) => line(jsonText(item)));
        case 'yaml':
          return stdout.write(yamlText(items));
        case 'name':
          return items.forEach((item) => line(visible(name(item))));
        case 'table':
          if (items.length > 0) renderTable(items, columns, { paint, width: stdout.isTTY ? stdout.columns : undefined }).forEach(line);
          else if (empty !== undefined && !quiet) stderr.write(`${empty}\n`);
          return undefined;
        default:
          return format satisfies never;
      }
    },
    object: (item, { text, name }) => {
      if (format === 'table') line(text(item));
      else if (format === 'name') line(visible(name(item)));
      else if (format === 'yaml') stdout.write(yamlText(item));
      else line(jsonText(item, format === 'json' ? 2 : undefined));
    },
    item: (item, { text, name }) => {
      if (format === 'table') line(text(item));
      else if (format === 'name') line(visible(name(item)));
      else if (format === 'yaml') stdout.write(`---\n${yamlText(item)}`);
      else line(jsonText(item));
    },
    paintError: painter(stderr),
  };
}

/** What failed, for stderr: several lines stay several, none of them does anything to the terminal. */
export function errorText(message: string): string {
  return visibleLines(message).trimEnd();
}

function jsonText(value: unknown, indent?: number): string {
  return escapedJson(JSON.stringify(value, undefined, indent));
}

function yamlText(value: unknown): string {
  const document = new Document(value);
  const plain = document.toString({ lineWidth: 0 });
  // Only in double quotes can a character be written by its number.
  return escapedJson(plain) === plain ? plain : escapedJson(document.toString({ lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'QUOTE_DOUBLE' }));
}
