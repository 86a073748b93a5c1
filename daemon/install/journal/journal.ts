// A journal file: one record a line, each with its CRC, appended and synced before what it announces is done.
// What the records mean is daemon/core/release/activate.ts and outbox.ts.

import { crc32 } from 'node:zlib';
import Type from 'typebox';
import Value from 'typebox/value';
import { ReportSchema, type Report } from '../../../proto/fleet.ts';
import { OrderCheckSchema } from '../../../proto/statement.ts';
import type { InstallRecord } from '../../core/release/activate.ts';
import { DaemonError } from '../../errors.ts';
import { type Disk, replaceFile } from '../machine/disk.ts';

/** A line of the journal: a step of an installation, a report, or both in one, so that neither is there without the other. */
export interface JournalEntry {
  readonly step?: InstallRecord;
  readonly report?: Report;
  /** Reports that the control plane has; `lastReportNo` outlives them, so that numbers go on. */
  readonly acknowledged?: { readonly deployment: string; readonly reportNo: number; readonly lastReportNo: number };
}

const text = Type.String();
/** As `isReleaseId` has it. */
const release = Type.String({ pattern: '^[1-9]\\d{0,15}-[0-9a-f]{12}$' });
const optionalText = Type.Optional(text);
const order = Type.Object({
  app: text,
  environment: text,
  stage: text,
  deployment: text,
  seq: Type.Integer(),
  revision: text,
  revisionNumber: Type.Integer(),
  notAfterMs: Type.Optional(Type.Number()),
  checks: Type.Optional(Type.Array(OrderCheckSchema)),
});
const step = Type.Union([
  Type.Object({ kind: Type.Literal('begin'), order, to: release, from: Type.Optional(release), rollback: Type.Boolean() }),
  Type.Object({ kind: Type.Union([Type.Literal('staged'), Type.Literal('activate'), Type.Literal('paused')]) }),
  Type.Object({ kind: Type.Literal('roll-back'), code: text, detail: text }),
  Type.Object({ kind: Type.Literal('attempt'), step: Type.Union([Type.Literal('activate'), Type.Literal('roll-back')]) }),
  Type.Object({
    kind: Type.Literal('end'),
    result: Type.Union(
      (['committed', 'failed', 'rolled-back', 'deferred', 'inconsistent', 'abandoned'] as const).map((result) => Type.Literal(result)),
    ),
    code: optionalText,
    detail: optionalText,
  }),
]);
const entrySchema = Type.Object({
  step: Type.Optional(step),
  report: Type.Optional(ReportSchema),
  acknowledged: Type.Optional(Type.Object({ deployment: text, reportNo: Type.Integer(), lastReportNo: Type.Integer() })),
});

function isEntry(value: unknown): value is JournalEntry {
  return Value.Check(entrySchema, value);
}

function checksum(line: string): string {
  return crc32(line).toString(16).padStart(8, '0');
}

/** One line, with its end. */
export function encodeEntry(entry: JournalEntry): string {
  const json = JSON.stringify(entry);
  return `${checksum(json)} ${json}\n`;
}

function decodeLine(line: string): JournalEntry | undefined {
  const json = line.slice(9);
  if (line.length < 10 || line.slice(0, 9) !== `${checksum(json)} `) return undefined;
  try {
    const value: unknown = JSON.parse(json);
    return isEntry(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** What a journal file holds. */
export interface DecodedJournal {
  readonly entries: readonly JournalEntry[];
  /** Length in bytes up to the last whole record: what follows is the torn end of an append that was never acknowledged. */
  readonly wholeBytes: number;
  /** A record that cannot be read comes before one that can. Then `entries` are those before it. */
  readonly damaged: boolean;
}

/** Reads journal text; takes any. */
export function decodeJournal(content: string): DecodedJournal {
  const lines = content.split('\n');
  const entries: JournalEntry[] = [];
  let wholeBytes = 0;
  for (const [index, line] of lines.entries()) {
    // A last line without its end was not synced whole, even if its checksum happens to fit.
    const entry = index === lines.length - 1 ? undefined : decodeLine(line);
    if (entry === undefined) {
      const damaged = lines.slice(index + 1).some((later) => decodeLine(later) !== undefined);
      return { entries, wholeBytes, damaged };
    }
    entries.push(entry);
    wholeBytes += Buffer.byteLength(line) + 1;
  }
  return { entries, wholeBytes, damaged: false };
}

/** An append-only file. After a failed append it refuses everything until it is opened again. */
export class Journal {
  readonly #disk: Disk;
  readonly #path: string;
  #broken = false;
  #bytes = 0;
  #queue: Promise<void> = Promise.resolve();

  constructor(disk: Disk, path: string) {
    this.#disk = disk;
    this.#path = path;
  }

  /** Length in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Reads the file, cuts a torn end off, and puts a damaged file aside as `<name>.damaged` after reading what it could. */
  async open(): Promise<DecodedJournal> {
    const content = (await this.#disk.readText(this.#path)) ?? '';
    const decoded = decodeJournal(content);
    if (decoded.damaged) {
      await this.#disk.writeSynced(`${this.#path}.damaged`, content);
      await this.rewrite(decoded.entries);
    } else if (Buffer.byteLength(content) > decoded.wholeBytes) {
      await this.#disk.truncate(this.#path, decoded.wholeBytes);
    }
    if (!decoded.damaged) this.#bytes = decoded.wholeBytes;
    this.#broken = false;
    return decoded;
  }

  /** Appends one record; it is on disk when this resolves. Records keep the order of the calls. */
  async append(entry: JournalEntry): Promise<void> {
    const previous = this.#queue;
    const work = (async () => {
      await previous;
      await this.#appendNow(encodeEntry(entry));
    })();
    this.#queue = work.catch(() => {});
    await work;
  }

  async #appendNow(line: string): Promise<void> {
    if (this.#broken) {
      throw new DaemonError('STORAGE_FAILED', `the journal ${this.#path} failed earlier: recovery must read it again first`);
    }
    try {
      await this.#disk.appendSynced(this.#path, line);
    } catch (error) {
      this.#broken = true;
      throw error;
    }
    this.#bytes += Buffer.byteLength(line);
  }

  /**
   * The same for want of length alone: where there is no room for both files it stays as it is, since what was appended is on disk all the same.
   * Room that is wanted later, when the new one has its name, is another matter.
   */
  async compact(entries: readonly JournalEntry[]): Promise<void> {
    const draft = `${this.#path}.new`;
    try {
      await this.#disk.writeSynced(draft, entries.map(encodeEntry).join(''));
    } catch (error) {
      if (!(error instanceof DaemonError) || error.code !== 'NO_SPACE') throw error;
      return await this.#disk.remove(draft);
    }
    await this.rewrite(entries);
  }

  /** Replaces all records in one step. */
  async rewrite(entries: readonly JournalEntry[]): Promise<void> {
    const content = entries.map(encodeEntry).join('');
    await replaceFile(this.#disk, this.#path, content);
    this.#bytes = Buffer.byteLength(content);
  }
}
