// Appends to the journal of a directory for ever, several appends at a time, of few entries and of more than a record holds, and says on standard output
// what was acknowledged: the last entry of each.
// Started and killed by crash.test.ts.

import { writeSync } from 'node:fs';
import { openLevelJournal } from '../../../control/journal/level.ts';

const [directory = '', run = ''] = process.argv.slice(2);
const journal = await openLevelJournal(directory);
for (let round = 0; ; round += 1) {
  let expected = journal.head();
  const results = Array.from({ length: 4 }, async (_, index) => {
    const app = `r${run}-${round}-${index}`;
    const before = Array.from({ length: (round * 31 + index * 17) % 90 }, (_, place) => `${app}.${place}`);
    const at = expected;
    expected += before.length + 1;
    const result = await journal.append({ actor: 'system', at: 1, events: [...before, app].map((name) => ({ kind: 'app.created', app: name, project: 'p' })) }, at);
    // Synchronous: what is said must have left this process before the next line runs.
    if (result.kind === 'appended') writeSync(1, `${result.head} ${app}\n`);
  });
  await Promise.all(results);
}
