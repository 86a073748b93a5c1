// The repository keeps its own style: which way imports go, what is banned outside its home, how files look. The rules
// are data in tidy/rules.ts and tidy/bans.ts; that each of them bites is shown in tidy/check.test.ts.

import { expect, test } from 'vitest';
import { breaches, format } from './tidy/check.ts';
import { repositoryFiles } from './tidy/tree.ts';

test('every tracked file keeps the rules of test/tidy/rules.ts', () => {
  const files = repositoryFiles();
  expect(files.map((file) => file.path)).toContain('package.json');
  const found = breaches(files).map(format);
  if (found.length > 0) throw new Error(`${found.length} breaches\n${found.join('\n')}`);
});
