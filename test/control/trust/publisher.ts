// Publishes new roles as fast as it can until it is killed, and says each version once it is durable. For repository.test.ts.

import { openRepository } from '../../../control/trust/file-repository.ts';

const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, child: () => silent };
const repository = await openRepository({ dataDir: process.argv[2] ?? '', org: 'acme', now: () => Date.UTC(2026, 0, 1), log: silent });
for (;;) {
  const number = (repository.role('dev')?.version ?? 0) + 1;
  const { version } = await repository.publish('dev', { web: { revision: 'a'.repeat(64), bytes: 100, number } });
  process.stdout.write(`${version}\n`);
}
