// What an agent's program loads: not Node's `fetch`, which one `import 'node:http'` anywhere in it would bring along, and 10 MiB with it.

import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';

/** Whether Node's `fetch` is there when these modules are. */
function loadsFetch(...modules: readonly string[]): boolean {
  const program = `${modules.map((module) => `await import(${JSON.stringify(module)});`).join('\n')}
process.stdout.write(JSON.stringify(process.moduleLoadList.some((name) => name.endsWith('internal/deps/undici/undici'))));`;
  return JSON.parse(execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8' })) === true;
}

test('an agent is loaded without fetch', () => {
  const sources = ['daemon.ts', 'daemon-agent.ts'].map((file) => new URL(`../../daemon/${file}`, import.meta.url).href);
  expect(loadsFetch(...sources)).toBe(false);
  expect(loadsFetch('node:http'), 'otherwise this test sees nothing').toBe(true);
});
