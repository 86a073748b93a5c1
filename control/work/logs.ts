// What steps and builds wrote, in files beside the journal: one for each attempt, capped, and bounded altogether by dropping the oldest.
// A lost log costs an explanation, never a decision; so nothing here is synced.

import { constants, mkdir, open, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { ControlError } from '../errors.ts';

/** Of one attempt: what is longer is not read by people. */
export const logBytesMax = 1024 * 1024;
/** Of all together. */
const allBytesMax = 512 * 1024 * 1024;
/** Of one answer. */
const pageBytesMax = 64 * 1024;

export interface LogPage {
  readonly text: string;
  /** Where the next page begins, in bytes. */
  readonly next: number;
  /** Whether this is all that there is so far. */
  readonly atEnd: boolean;
}

/** Which attempt a log is of. `what`: a run's or a build's id; `part`: the step, or `build`. */
export interface LogKey {
  readonly what: string;
  readonly part: string;
  readonly attempt: number;
}

const namePattern = /^[A-Za-z0-9][A-Za-z0-9_-]{0,160}$/;

export class WorkLogs {
  readonly #directory: string;
  readonly #bytesMax: number;
  /** Sizes by path, oldest first: bounded by what {@link allBytesMax} holds. */
  readonly #sizes = new Map<string, number>();
  readonly #busy = new Map<string, Promise<unknown>>();
  #bytes = 0;

  private constructor(directory: string, bytesMax: number) {
    this.#directory = directory;
    this.#bytesMax = bytesMax;
  }

  /** `bytesMax` of all logs together. */
  static async open(directory: string, bytesMax = allBytesMax): Promise<WorkLogs> {
    const logs = new WorkLogs(directory, bytesMax);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith('.log'));
    const found = await Promise.all(names.map(async (name) => ({ name, ...(await sizeAndTime(join(directory, name))) })));
    for (const { name, bytes } of found.toSorted((a, b) => a.at - b.at)) logs.#note(name, bytes);
    return logs;
  }

  /** Appends what begins at byte `offset`; what is there already is skipped, so that a repeated request changes nothing. Answers the bytes kept. */
  async append(key: LogKey, offset: number, text: string): Promise<number> {
    const path = pathOf(key);
    return await this.#alone(path, async () => {
      const size = this.#sizes.get(path) ?? 0;
      if (offset > size) throw new ControlError('CONFLICT', `the log has ${size} bytes; byte ${offset} cannot follow`);
      const bytes = Buffer.from(text, 'utf8').subarray(size - offset, size - offset + Math.max(0, logBytesMax - size));
      if (bytes.length === 0) return size;
      await writeAt(join(this.#directory, path), bytes, size);
      this.#note(path, size + bytes.length);
      await this.#dropOldest();
      return size + bytes.length;
    });
  }

  /** What is written from byte `offset` on; undefined when there is no such log. */
  async read(key: LogKey, offset: number): Promise<LogPage | undefined> {
    const path = pathOf(key);
    const size = this.#sizes.get(path);
    if (size === undefined) return undefined;
    const buffer = Buffer.alloc(Math.max(0, Math.min(pageBytesMax, size - offset)));
    const file = await open(join(this.#directory, path), 'r').catch(() => undefined);
    if (file === undefined) return undefined;
    try {
      const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
      const whole = wholeCharacters(buffer.subarray(0, bytesRead), offset + bytesRead >= size);
      return { text: whole.toString('utf8'), next: offset + whole.length, atEnd: offset + whole.length >= size };
    } finally {
      await file.close();
    }
  }

  #note(path: string, bytes: number): void {
    this.#bytes += bytes - (this.#sizes.get(path) ?? 0);
    this.#sizes.delete(path);
    this.#sizes.set(path, bytes);
  }

  async #dropOldest(): Promise<void> {
    for (const [path, bytes] of this.#sizes) {
      if (this.#bytes <= this.#bytesMax) return;
      this.#sizes.delete(path);
      this.#bytes -= bytes;
      const full = join(this.#directory, path);
      await rm(full, { force: true });
      // With the last log of a run its directory goes; while there are others the system refuses.
      await rmdir(dirname(full)).catch(() => undefined);
    }
  }

  /** One writer of a file at a time. */
  async #alone<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#busy.get(path) ?? Promise.resolve();
    const mine = before.then(work, work);
    this.#busy.set(path, mine);
    try {
      return await mine;
    } finally {
      if (this.#busy.get(path) === mine) this.#busy.delete(path);
    }
  }
}

/**
 * At its place, not at the end: what a full disk took of an earlier try is written over. What is there at a start belongs to the log all the same, since a
 * byte has one place. @throws {ControlError} STORAGE_FAILED.
 */
async function writeAt(path: string, bytes: Uint8Array, position: number): Promise<void> {
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    await using file = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o600);
    for (let written = 0; written < bytes.length; ) written += (await file.write(bytes, written, bytes.length - written, position + written)).bytesWritten;
  } catch (cause) {
    throw new ControlError('STORAGE_FAILED', `a log cannot be written: ${cause instanceof Error ? cause.message : String(cause)}; is the disk of the data directory full?`, { cause });
  }
}

function pathOf({ what, part, attempt }: LogKey): string {
  if (!namePattern.test(what) || !namePattern.test(part) || !Number.isSafeInteger(attempt) || attempt < 1) throw new ControlError('NOT_FOUND', `there is no log of attempt ${attempt} at '${part}' of '${what}'`);
  return join(what, `${part}.${attempt}.log`);
}

/** Up to the last whole character: the rest comes with the next page, unless there is none. */
function wholeCharacters(bytes: Buffer, last: boolean): Buffer {
  if (last) return bytes;
  let end = bytes.length;
  while (end > 0 && end > bytes.length - 4 && ((bytes[end - 1] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end > 0 && (bytes[end - 1] ?? 0) >= 0xc0 ? bytes.subarray(0, end - 1) : bytes;
}

async function sizeAndTime(path: string): Promise<{ readonly bytes: number; readonly at: number }> {
  const found = await stat(path);
  return { bytes: found.size, at: found.mtimeMs };
}
