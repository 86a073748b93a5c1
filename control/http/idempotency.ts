// Idempotency keys: what a POST with a key answered is kept for a day, so that a retry is answered the same, also after a crash.
//
// Before a request is carried out its intent is written down, with a salt: all ids and secrets that it draws are derived from the
// key and that salt, so that a retry after a crash in between draws the same ones and finds what the first try has made.
// Answers are sealed under a key derived from the caller's: they may hold a token's text, and whoever reads this database must
// not find it there. The keys themselves are kept as digests.

import { createCipheriv, createDecipheriv, createHash, hkdfSync } from 'node:crypto';
import { Level } from 'level';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { ControlError } from '../errors.ts';
import type { RandomBytes } from '../random.ts';

/** How long an answer is kept. */
export const keptMs = 24 * 3_600_000;
/** Keys kept at once, about 1 KB each; beyond it the oldest are forgotten before their day is over. */
export const keysMax = 100_000;
/** What callers may send: long enough that it cannot be guessed, since it also seals the answer. */
export const keyPattern = /^[\x21-\x7e]{16,255}$/;

/** An answer as it was sent. */
export const AnswerSchema = Type.Object({ status: Type.Integer(), headers: Type.Record(Type.String(), Type.String()), body: Type.String() });
export type KeptAnswer = Static<typeof AnswerSchema>;

const RecordSchema = Type.Object({
  at: Type.Integer(),
  /** sha2-256 of what was asked. */
  request: Type.String(),
  salt: Type.String(),
  sealed: Type.Optional(Type.String()),
});
type KeptRecord = Static<typeof RecordSchema>;

const isRecord = Compile(RecordSchema);
const isAnswer = Compile(AnswerSchema);

/** A request that may be carried out now. `finish` or `release` must be called. */
export interface Begun {
  readonly kind: 'begun';
  /** When the first try began, in milliseconds since 1970; undefined when this is the first. */
  readonly resumedFrom: number | undefined;
  /** Unpredictable to others, the same in every try. */
  readonly draw: RandomBytes;
  /** Keeps the answer; resolves when it is synced. */
  finish(answer: KeptAnswer): Promise<void>;
  /** Lets a retry carry it out again: it failed for a reason that may pass. */
  release(): void;
}

export type Beginning = Begun | { readonly kind: 'replay'; readonly answer: KeptAnswer } | { readonly kind: 'in-progress' } | { readonly kind: 'other-request' };

export interface IdempotencyOptions {
  readonly directory: string;
  readonly random: RandomBytes;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export class IdempotencyKeys implements AsyncDisposable {
  readonly #level: Level<string, unknown>;
  readonly #options: IdempotencyOptions;
  /** When each kept key began, oldest first. */
  readonly #kept = new Map<string, number>();
  readonly #busy = new Set<string>();

  private constructor(level: Level<string, unknown>, options: IdempotencyOptions) {
    this.#level = level;
    this.#options = options;
  }

  /** Opens what is kept in `directory`, and forgets what is older than a day. @throws {ControlError} STORAGE_FAILED. */
  static async open(options: IdempotencyOptions): Promise<IdempotencyKeys> {
    const level = new Level<string, unknown>(options.directory, { valueEncoding: 'json' });
    try {
      await level.open();
      const keys = new IdempotencyKeys(level, options);
      await keys.#load();
      return keys;
    } catch (cause) {
      await level.close();
      throw failed(options.directory, cause);
    }
  }

  /** Begins a request of `principal` with `key`; `request` is what was asked, whole. @throws {ControlError} STORAGE_FAILED. */
  async begin(principal: string, key: string, request: string): Promise<Beginning> {
    const id = sha256(`${principal}\n${key}`);
    if (this.#busy.has(id)) return { kind: 'in-progress' };
    this.#busy.add(id);
    try {
      const found = await this.#read(id);
      if (found === undefined) return this.#begun(id, key, await this.#intend(id, sha256(request)), false);
      if (found.request !== sha256(request)) return this.#settled(id, { kind: 'other-request' });
      if (found.sealed !== undefined) return this.#settled(id, { kind: 'replay', answer: opened(found.sealed, key, found.salt) });
      return this.#begun(id, key, found, true);
    } catch (error) {
      this.#busy.delete(id);
      throw error;
    }
  }

  async close(): Promise<void> {
    await this.#level.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #settled(id: string, beginning: Beginning): Beginning {
    this.#busy.delete(id);
    return beginning;
  }

  #begun(id: string, key: string, record: KeptRecord, resumed: boolean): Begun {
    let drawn = 0;
    return {
      kind: 'begun',
      resumedFrom: resumed ? record.at : undefined,
      draw: (length) => {
        drawn += 1;
        return new Uint8Array(hkdfSync('sha256', key, Buffer.from(record.salt, 'base64'), `draw/${drawn}`, length));
      },
      finish: async (answer) => {
        try {
          await this.#write(id, { ...record, sealed: sealed(answer, key, record.salt, this.#options.random(12)) });
        } finally {
          this.#busy.delete(id);
        }
      },
      release: () => {
        this.#busy.delete(id);
      },
    };
  }

  async #intend(id: string, request: string): Promise<KeptRecord> {
    await this.#forget();
    const record = { at: this.#options.now(), request, salt: Buffer.from(this.#options.random(32)).toString('base64') };
    await this.#write(id, record);
    this.#kept.set(id, record.at);
    return record;
  }

  async #read(id: string): Promise<KeptRecord | undefined> {
    const at = this.#kept.get(id);
    if (at === undefined || this.#options.now() - at > keptMs) return undefined;
    const found = await this.#using(async (level) => await level.get(id));
    return isRecord.Check(found) ? found : undefined;
  }

  async #write(id: string, record: KeptRecord): Promise<void> {
    await this.#using(async (level) => await level.batch([{ type: 'put', key: id, value: record }], syncedWrite));
  }

  /** @throws {ControlError} STORAGE_FAILED; the next use opens it again, which fails as long as the disk is full. */
  async #using<Result>(action: (level: Level<string, unknown>) => Promise<Result>): Promise<Result> {
    try {
      if (this.#level.status !== 'open') await this.#level.open();
      return await action(this.#level);
    } catch (cause) {
      // After a failed write LevelDB refuses every other one until it is opened again.
      await this.#level.close().catch(() => undefined);
      throw failed(this.#options.directory, cause);
    }
  }

  async #load(): Promise<void> {
    const found: (readonly [string, number])[] = [];
    for await (const [id, value] of this.#level.iterator()) found.push([id, isRecord.Check(value) ? value.at : 0]);
    for (const [id, at] of found.toSorted((a, b) => a[1] - b[1])) this.#kept.set(id, at);
    await this.#forget();
  }

  async #forget(): Promise<void> {
    const gone: string[] = [];
    for (const [id, at] of this.#kept) {
      if (this.#options.now() - at <= keptMs && this.#kept.size - gone.length < keysMax) break;
      if (!this.#busy.has(id)) gone.push(id);
    }
    for (const id of gone) this.#kept.delete(id);
    if (gone.length > 0) await this.#using(async (level) => await level.batch(gone.map((key) => ({ type: 'del', key }))));
  }
}

/** LevelDB's own option, of which the portable interface does not know. */
const syncedWrite: object = { sync: true };

function sealingKey(key: string, salt: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', key, Buffer.from(salt, 'base64'), 'answer', 32));
}

function sealed(answer: KeptAnswer, key: string, salt: string, nonce: Uint8Array): string {
  const cipher = createCipheriv('aes-256-gcm', sealingKey(key, salt), nonce);
  const text = Buffer.concat([cipher.update(JSON.stringify(answer)), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
}

function opened(text: string, key: string, salt: string): KeptAnswer {
  const bytes = Buffer.from(text, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', sealingKey(key, salt), bytes.subarray(0, 12));
  decipher.setAuthTag(bytes.subarray(12, 28));
  const answer: unknown = JSON.parse(Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString());
  if (isAnswer.Check(answer)) return answer;
  throw new ControlError('STORAGE_FAILED', 'the answer kept under this Idempotency-Key cannot be read: use a new key, and look first whether the request took effect');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

function failed(directory: string, cause: unknown): ControlError {
  const reason = cause instanceof Error ? (cause.cause instanceof Error ? cause.cause.message : cause.message) : String(cause);
  const mend = /ENOSPC|No space left/.test(reason) ? '; free some space and try again' : '';
  return new ControlError('STORAGE_FAILED', `idempotency keys in '${directory}' cannot be kept: ${reason}${mend}`, { cause });
}
