// Appends to the journal of a directory for ever, several appends at a time, and says on standard output what was acknowledged.
// Started and killed by crash.test.ts.

import { writeSync } from 'node:fs';
import { openLevelJournal } from '../../../control/journal/level.ts';

const [directory = '', run = ''] = process.argv.slice(2);
const journal = await openLevelJournal(directory);
for (let round = 0; ; round += 1) {
  const head = journal.head();
  const results = Array.from({ length: 4 }, async (_, index) => {
    const app = `r${run}-${round}-${index}`;
    const result = await journal.append({ actor: 'system', at: 1, events: [{ kind: 'app.created', app, project: 'p' }] }, head + index);
    // Synchronous: what is said must have left this process before the next line runs.
    if (result.kind === 'appended') writeSync(1, `${result.head} ${app}\n`);
  });
  await Promise.all(results);
}
