// The hash chain of the journal: whatever is done to one entry is found, and the entry is named.

import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditLine, ChainCheck, chained, checkpointText, genesisHash, hashOf, parseCheckpoint, type AuditLine, type ChainBreach } from '../../proto/audit-chain.ts';
import type { JournalEntry } from '../../proto/events.ts';

const sha256 = (text: string): string => hash('sha256', text);

function journal(length: number, unchained = 0): readonly AuditLine[] {
  let prevHash = genesisHash;
  return Array.from({ length }, (_, index) => {
    const plain: JournalEntry = { seq: index + 1, at: 1000 + index, actor: `token:t${index % 3}`, event: { kind: 'app.created', app: `app-${index}`, project: 'p' } };
    if (index < unchained) return auditLine(plain, sha256);
    const { entry, text } = chained(plain, prevHash, sha256);
    expect(text).toBe(JSON.stringify(entry));
    prevHash = entry.hash ?? '';
    return auditLine(entry, sha256);
  });
}

function breachOf(lines: readonly AuditLine[], options: ConstructorParameters<typeof ChainCheck>[1] = {}): ChainBreach | undefined {
  const check = new ChainCheck(sha256, options);
  for (const line of lines) {
    const breach = check.take(line);
    if (breach !== undefined) return breach;
  }
  return check.end();
}

const places = fc.integer({ min: 2, max: 30 }).chain((length) => fc.record({ length: fc.constant(length), at: fc.integer({ min: 0, max: length - 1 }), other: fc.integer({ min: 0, max: length - 1 }) }));

describe('O-1 the chain', () => {
  it('of what was written is whole, from the beginning or from anywhere', () => {
    fc.assert(fc.property(places, ({ length, at }) => {
      expect(breachOf(journal(length))).toBeUndefined();
      expect(breachOf(journal(length).slice(at))).toBeUndefined();
    }));
  });

  it.each<readonly [string, (line: AuditLine) => AuditLine]>([
    ['content', (line) => ({ ...line, event: { ...line.event, app: 'other' } })],
    ['actor', (line) => ({ ...line, actor: 'token:somebody' })],
    ['time', (line) => ({ ...line, at: line.at + 1 })],
    ['hash', (line) => ({ ...line, hash: 'f'.repeat(64) })],
    ['predecessor', (line) => ({ ...line, prevHash: 'f'.repeat(64) })],
  ])('names the entry whose %s was edited', (_what, edit) => {
    fc.assert(fc.property(places, ({ length, at }) => {
      const lines = journal(length).map((line, index) => (index === at ? edit(line) : line));
      expect(breachOf(lines)).toMatchObject({ seq: at + 1, kind: 'edited' });
    }));
  });

  it('names the entry that was removed', () => {
    fc.assert(fc.property(places, ({ length, at }) => {
      fc.pre(at > 0 && at < length - 1);
      expect(breachOf(journal(length).toSpliced(at, 1))).toMatchObject({ seq: at + 1, kind: 'missing' });
    }));
  });

  it('names where entries were put in another order, also when they were numbered anew', () => {
    fc.assert(fc.property(places, ({ length, at, other }) => {
      fc.pre(at < other);
      const lines = [...journal(length)];
      const [one, two] = [lines[at], lines[other]];
      if (one === undefined || two === undefined) return;
      expect(breachOf(lines.with(at, two).with(other, one))).toBeDefined();
      expect(breachOf(lines.with(at, { ...two, seq: one.seq }).with(other, { ...one, seq: two.seq }))).toMatchObject({ seq: at + 1, kind: 'edited' });
    }));
  });

  it('finds an entry that was rewritten with a hash of its own, by the next one', () => {
    const lines = journal(5);
    const { entry: forged } = chained({ seq: 3, at: 1, actor: 'token:evil', event: { kind: 'app.created', app: 'x', project: 'p' } }, lines[2]?.prevHash ?? '', sha256);
    expect(breachOf(lines.with(2, auditLine(forged, sha256)))).toMatchObject({ seq: 4, kind: 'not-linked' });
  });

  it('begins with the first entry that is in it, and cannot be made to begin later', () => {
    expect(breachOf(journal(6, 2))).toBeUndefined();
    const check = new ChainCheck(sha256);
    for (const line of journal(6, 2)) check.take(line);
    expect(check).toMatchObject({ chainedFrom: 3, unchained: 2 });
    const stripped = journal(6).map((line, index): AuditLine => (index < 3 ? { seq: line.seq, at: line.at, actor: line.actor, event: line.event } : line));
    expect(breachOf(stripped)).toMatchObject({ seq: 4, kind: 'not-linked' });
    expect(breachOf(journal(6).map((line, index): AuditLine => (index === 4 ? { seq: line.seq, at: line.at, actor: line.actor, event: line.event } : line)))).toMatchObject({ seq: 5, kind: 'not-chained' });
  });

  it('that was cut short or rewritten as a whole is told from the real one by a checkpoint kept elsewhere', () => {
    const lines = journal(5);
    const checkpoint = parseCheckpoint(checkpointText({ seq: 4, hash: lines[3]?.hash ?? '' }));
    if (checkpoint === undefined) throw new Error('no checkpoint');
    expect(breachOf(lines, { checkpoint })).toBeUndefined();
    expect(breachOf(lines.slice(0, 3), { checkpoint })).toMatchObject({ seq: 4, kind: 'missing' });
    expect(breachOf(journal(5, 1), { checkpoint })).toMatchObject({ seq: 4, kind: 'other-checkpoint' });
    expect(breachOf(lines.slice(4), { from: checkpoint })).toBeUndefined();
    expect(breachOf(lines.slice(3), { from: checkpoint })).toMatchObject({ kind: 'out-of-order' });
  });

  it('covers what audits do not show: a secret, a manifest and an order by their hash', () => {
    const secret = (secretDigest: string) => chained({ seq: 1, at: 1, actor: 'system', event: { kind: 'token.created', token: 't', use: 'api', name: 't', secretDigest, scopes: [], roles: [], environments: [], labels: {}, usesMax: 1, expiresAt: 1 } }, genesisHash, sha256).entry;
    const line = auditLine(secret('a'.repeat(64)), sha256);
    expect(JSON.stringify(line)).not.toContain('a'.repeat(64));
    expect(breachOf([line])).toBeUndefined();
    expect(secret('b'.repeat(64)).hash).not.toBe(line.hash);
  });
});

describe('the hash of a line', () => {
  it('is that of its text without the hash, so that whoever has the line can check it', () => {
    const [line] = journal(1);
    const text = JSON.stringify(line);
    const [, before = '', own] = /^(.*),"hash":"([0-9a-f]{64})"\}$/.exec(text) ?? [];
    expect(sha256(`${before}}`)).toBe(own);
  });

  it('stays the same however often the line was read and written', () => {
    fc.assert(fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (content) => {
      const event: Record<string, unknown> = JSON.parse(JSON.stringify(content));
      const line: AuditLine = { seq: 1, at: 1, actor: 'system', event, prevHash: genesisHash };
      expect(hashOf(JSON.parse(JSON.stringify(line)), sha256)).toBe(hashOf(line, sha256));
    }));
  });
});
