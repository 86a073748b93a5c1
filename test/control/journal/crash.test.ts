// The journal's promise under SIGKILL: what a process said was appended is there when it is opened again.

import { spawn } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { openLevelJournal } from '../../../control/journal/level.ts';
import { auditLine, ChainCheck } from '../../../proto/audit-chain.ts';
import { seeded } from '../../support/random.ts';
import { names } from '../../contract/journal-contract.ts';
import { temporaryDirectory } from './fixtures.ts';

const child = fileURLToPath(new URL('./crash-child.ts', import.meta.url));
const kills = 12;

/** Runs the child until it has acknowledged `lines` appends, kills it, and answers all that it acknowledged. */
async function appendedUntilKilled(directory: string, run: number, lines: number): Promise<readonly string[]> {
  const running = spawn(process.execPath, [child, directory, String(run)], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  running.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
    if (text.split('\n').length > lines) running.kill('SIGKILL');
  });
  await once(running, 'close');
  // The last line may be cut off by the kill.
  return text.split('\n').slice(0, -1);
}

const sha256 = (text: string): string => hash('sha256', text);

it('keeps every acknowledged entry, and one whole chain, over many SIGKILLs at random points', { timeout: 60_000 }, async () => {
  const directory = await temporaryDirectory();
  const acknowledged = new Map<number, string>();
  const random = seeded(1);
  for (let run = 0; run < kills; run += 1) {
    const lines = 1 + random.below(60);
    for (const line of await appendedUntilKilled(directory, run, lines)) {
      const [seq = '', app = ''] = line.split(' ');
      acknowledged.set(Number(seq), app);
    }
    await using journal = await openLevelJournal(directory);
    const found: string[] = [];
    const check = new ChainCheck(sha256);
    for await (const entries of journal.scan(0)) {
      found.push(...names(entries));
      expect(entries.flatMap((entry) => check.take(auditLine(entry, sha256)) ?? [])).toEqual([]);
    }
    const missing = [...acknowledged].filter(([seq, app]) => found[seq - 1] !== app);
    expect(missing, `run ${run}, killed after ${lines} lines`).toEqual([]);
    expect(check.head?.seq).toBe(journal.head());
    // An append is there whole or not at all: names with a point are not its last.
    expect(found.at(-1) ?? 'none').not.toContain('.');
  }
  expect(acknowledged.size).toBeGreaterThanOrEqual(kills);
});
