// One publishing of a directory without the network, in a process of its own as people's are: says what it took. Started by p5-publish.ts.

import { ingest } from '../daemon/content/ingest/ingest.ts';

const [directory = '.', runs = '1'] = process.argv.slice(2);
const attempts: { readonly wallMs: number; readonly cpuMs: number; readonly bytes: number }[] = [];
for (let run = 0; run < Number(runs); run += 1) {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const { totals } = await ingest(directory, { signal: new AbortController().signal });
  const { user, system } = process.cpuUsage(cpu);
  attempts.push({ wallMs: performance.now() - startedAt, cpuMs: (user + system) / 1000, bytes: totals.bytes });
}
process.stdout.write(JSON.stringify({ attempts, peakMiB: process.resourceUsage().maxRSS / 1024 }));
