// From a directory to a tree: what may be published is all there, and what may not is refused with one clear line each.

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, truncateSync, unlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createRevision, ingest } from '../../../../daemon/content/ingest/ingest.ts';
import { bufferBytes } from '../../../../daemon/content/ingest/cut-file.ts';
import { decodeRevision } from '../../../../proto/revision-codec.ts';
import { decodeTree } from '../../../../proto/tree-index.ts';
import { unending } from '../../../contract/chunk-store.ts';
import { noise, show, writeHostileTree, type Shown } from '../../../support/trees.ts';

const MiB = 1024 * 1024;
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'starling-ingest-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (path: string): string => join(root, path);
/** Lines of the error that publishing `root` ends with, and its code. */
const refusal = async (): Promise<{ readonly code: string; readonly lines: readonly string[] }> => {
  try {
    await ingest(root, unending);
  } catch (cause) {
    expect(cause).toMatchObject({ name: 'DaemonError' });
    const { code, message } = cause as { readonly code: string; readonly message: string };
    return { code, lines: message.split('\n') };
  }
  throw new Error('it was not refused');
};

it('a tree of every kind of entry comes out of its chunks as it lies on disk', async () => {
  writeHostileTree(root);
  const ingested = await ingest(root, unending);
  const { tree, index } = ingested;
  const rebuilt: Record<string, Shown> = {};
  for (const entry of tree.entries()) {
    if (entry.kind === 'symlink') rebuilt[entry.path] = { target: entry.target };
    else if (entry.kind === 'directory') rebuilt[entry.path] = { mode: entry.mode.toString(8) };
    else {
      const content = Buffer.concat(await Promise.all(entry.chunks.map(async (ordinal) => await ingested.readChunk(ordinal))));
      expect(createHash('sha256').update(content).digest('hex')).toBe(entry.digest);
      rebuilt[entry.path] = { mode: entry.mode.toString(8), content: content.toString('base64') };
    }
  }
  expect(rebuilt).toEqual(show(root));
  expect([...decodeTree(index).entries()]).toEqual([...tree.entries()]);
});

it('equal trees have one digest, whatever their times and place', async () => {
  mkdirSync(at('a/d'), { recursive: true });
  mkdirSync(at('b/d'), { recursive: true });
  for (const name of ['d/x', 'd.x', 'd']) if (name !== 'd') for (const side of ['b', 'a']) writeFileSync(at(`${side}/${name}`), name);
  const [a, b] = [await ingest(at('a'), unending), await ingest(at('b'), unending)];
  expect(a.digest).toBe(b.digest);
  const revision = createRevision('web', a);
  expect(decodeRevision(revision.bytes)).toEqual(revision.revision);
  expect(createRevision('web', b).digest).toBe(revision.digest);
});

it('a name and a link target may begin with a byte order mark', async () => {
  writeFileSync(at('\uFEFFx'), 'a');
  symlinkSync('\uFEFFx', at('link'));
  const { tree } = await ingest(root, unending);
  expect([...tree.entries()]).toMatchObject([{ path: 'link', target: '\uFEFFx' }, { path: '\uFEFFx' }]);
});

it('a name may hold what stands for bytes that are none, even beside one that is not UTF-8', async () => {
  writeFileSync(at('\ufffd'), 'a');
  expect([...(await ingest(root, unending)).tree.entries()]).toMatchObject([{ path: '\ufffd' }]);
  writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xff])]), '');
  expect(await refusal()).toEqual({ code: 'INVALID_PATH', lines: [expect.stringContaining('"ÿ" is not UTF-8')] });
});

describe('refuses', () => {
  const cases: readonly (readonly [string, () => unknown, string, string])[] = [
    ['a link out of the tree', () => symlinkSync('../outside', at('l')), 'INVALID_PATH', '"l"'],
    ['an absolute link', () => symlinkSync('/etc/passwd', at('l')), 'INVALID_PATH', '/etc/passwd'],
    ['a control character', () => writeFileSync(at('a\nb'), ''), 'INVALID_PATH', String.raw`a\nb`],
    ['a name that is not UTF-8', () => writeFileSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0x66, 0xff])]), ''), 'INVALID_PATH', 'not UTF-8'],
    ['a name that is not NFC', () => writeFileSync(at('e\u0301'), ''), 'INVALID_PATH', 'normalisation form C'],
    ['two names that differ in case', () => ['Read', 'read'].forEach((name) => writeFileSync(at(name), '')), 'PATH_COLLISION', '"Read" and "read"'],
    ['a named pipe', () => execFileSync('mkfifo', [at('pipe')]), 'UNSUPPORTED_FILE', '"pipe" is a named pipe'],
    ['an empty directory', () => undefined, 'UNREADABLE_FILE', 'is empty'],
    ['a directory that is not there', () => rmSync(root, { recursive: true }), 'UNREADABLE_FILE', 'there is no directory'],
  ];
  it.each(cases)('%s', async (_, make, code, says) => {
    make();
    const found = await refusal();
    expect(found.code).toBe(code);
    expect(found.lines).toHaveLength(1);
    expect(found.lines[0]).toContain(says);
  });

  it('two names that differ in normalisation, and the one of them that no tree may hold', async () => {
    for (const name of ['e\u0301', '\u00e9']) writeFileSync(at(name), '');
    const { lines } = await refusal();
    expect(lines).toEqual([expect.stringContaining('normalisation form C'), expect.stringContaining('differ only in case or Unicode normalisation')]);
  });

  it('a socket', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(at('s'), resolve));
    try {
      expect(await refusal()).toEqual({ code: 'UNSUPPORTED_FILE', lines: [expect.stringContaining('"s" is a socket')] });
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('twenty problems together, a line for each, and then no more', async () => {
    for (let number = 0; number < 25; number += 1) execFileSync('mkfifo', [at(`pipe ${number}`)]);
    const { lines } = await refusal();
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toContain('there may be more');
    expect(new Set(lines).size).toBe(21);
  });

  it('files that hold more than their size says, as those of the kernel do', async () => {
    const publishing = ingest('/proc/sys/kernel/random', unending);
    await expect(publishing).rejects.toMatchObject({ code: 'FILE_CHANGED', message: expect.stringContaining('"boot_id"') });
  });

  it('names of different case stand side by side when that is asked for', async () => {
    for (const name of ['Read', 'read']) writeFileSync(at(name), name);
    expect((await ingest(root, { ...unending, caseSensitive: true })).tree.entryCount).toBe(2);
  });
});

describe('while it is read', () => {
  const changes: readonly (readonly [string, (path: string) => void])[] = [
    ['grows', (path) => appendFileSync(path, 'more')],
    ['shrinks', (path) => truncateSync(path, 100)],
    ['is rewritten', (path) => writeFileSync(path, noise(12 * MiB, 9))],
  ];
  it.each(changes)('a file that %s is named, and nothing is published', async (_, change) => {
    writeFileSync(at('big'), noise(12 * MiB, 1));
    let done = false;
    const publishing = ingest(root, {
      ...unending,
      onProgress: () => {
        if (!done) change(at('big'));
        done = true;
      },
    });
    await expect(publishing).rejects.toMatchObject({ code: 'FILE_CHANGED', message: expect.stringContaining('"big"') });
  });

  it('a file that vanishes is named', async () => {
    writeFileSync(at('a'), noise(12 * MiB, 1));
    mkdirSync(at('b'));
    writeFileSync(at('b/gone'), 'x');
    const publishing = ingest(root, { ...unending, onProgress: () => rmSync(at('b'), { recursive: true, force: true }) });
    await expect(publishing).rejects.toMatchObject({ code: 'FILE_CHANGED', message: expect.stringContaining('vanished') });
  });

  it('an abort ends it within a large file', async () => {
    writeFileSync(at('big'), noise(24 * MiB, 1));
    const stop = new AbortController();
    const seen: number[] = [];
    const publishing = ingest(root, {
      signal: stop.signal,
      onProgress: ({ bytes }) => {
        seen.push(bytes);
        stop.abort();
      },
    });
    await expect(publishing).rejects.toMatchObject({ code: 'ABORTED' });
    expect(seen).toHaveLength(1);
    expect(seen[0]).toBeLessThan(24 * MiB);
  });

  it('a file larger than the buffer costs no more memory than the buffer', async () => {
    writeFileSync(at('big'), '');
    truncateSync(at('big'), 256 * MiB);
    let looks = 0;
    let peak = 0;
    // What the tests before left behind may be collected meanwhile: counted is what there is more than at the lowest.
    let lowest = process.memoryUsage().arrayBuffers;
    const onProgress = (): void => {
      const now = process.memoryUsage().arrayBuffers;
      lowest = Math.min(lowest, now);
      peak = Math.max(peak, now - lowest);
      looks += 1;
    };
    await ingest(root, { ...unending, onProgress });
    expect(looks).toBeGreaterThan(1);
    // What the collector has not taken away yet counts too, but the file is five hundred buffers long.
    expect(peak).toBeLessThan(16 * bufferBytes);
  });
});

it('a chunk is read again only while its file holds it', async () => {
  writeFileSync(at('a'), 'before');
  const ingested = await ingest(root, unending);
  const readChunk = async (ordinal: number) => await ingested.readChunk(ordinal);
  expect(Buffer.from(await readChunk(0)).toString()).toBe('before');
  writeFileSync(at('a'), 'after!');
  await expect(readChunk(0)).rejects.toMatchObject({ code: 'FILE_CHANGED', message: expect.stringContaining('"a"') });
  unlinkSync(at('a'));
  await expect(readChunk(0)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
  // Nobody writes to it: whoever waited would wait for ever.
  execFileSync('mkfifo', [at('a')]);
  await expect(readChunk(0)).rejects.toMatchObject({ code: 'FILE_CHANGED' });
  writeFileSync(at('other'), 'before');
  renameSync(at('other'), at('a'));
  chmodSync(at('a'), 0o644);
  expect(Buffer.from(await readChunk(0)).toString()).toBe('before');
});
