// Whether a release is healthy: its spec's checks, all at once, each within its own time. Hooks of the event healthCheck
// are run by activation.ts; what a failure means is decided there.

import type { HealthCheck } from '../../proto/deploy-spec.ts';
import type { OrderCheck } from '../../proto/statement.ts';
import type { Clock } from '../clock.ts';
import { http, https } from '../node-http.ts';
import { installLimits } from './limits.ts';
import type { ServiceStatus } from './service/service.ts';

export type Health = { readonly kind: 'healthy' } | { readonly kind: 'unhealthy'; readonly detail: string };

export interface HealthTools {
  readonly clock: Clock;
  /** How the checked release runs now. */
  readonly status: () => Promise<ServiceStatus>;
  /** The application's port on this machine, for an instance that has none of its own. */
  readonly port?: number | undefined;
}

const defaults = { status: 200, intervalSeconds: 2, successes: 3, timeoutSeconds: 60, forSeconds: 10 } as const;

/** A check, and how people call it who gave it a name. */
type NamedCheck = HealthCheck & { readonly name?: string };

/**
 * The checks of an order as those of a spec. The application's own port on this machine is where the front listens, behind which the old
 * release answers until the new one is healthy: what is asked is the instance.
 */
export function orderedChecks(checks: readonly OrderCheck[], ownPort: number | undefined): readonly NamedCheck[] {
  return checks.map(({ path, port = ownPort, intervalMs, timeoutMs, ...rest }) => ({
    kind: 'http',
    url: `http://127.0.0.1:${port === ownPort ? '${PORT}' : port}${path}`,
    ...rest,
    ...(intervalMs === undefined ? {} : { intervalSeconds: intervalMs / 1000 }),
    ...(timeoutMs === undefined ? {} : { timeoutSeconds: timeoutMs / 1000 }),
  }));
}

/**
 * Runs all checks; the first that fails ends the others. No checks: healthy.
 * @throws the signal's reason on an abort.
 */
export async function checkHealth(
  checks: readonly NamedCheck[],
  tools: HealthTools,
  { signal }: { readonly signal: AbortSignal },
): Promise<Health> {
  const over = new AbortController();
  const either = AbortSignal.any([signal, over.signal]);
  try {
    const failure = new Promise<Health>((resolve, reject) => {
      const runs = checks.map(async (check) => {
        const health = await runCheck(check, tools, either);
        if (health.kind === 'unhealthy') resolve(check.name === undefined ? health : unhealthy(`check '${check.name}': ${health.detail}`));
      });
      // Every check that is over is healthy when none resolved before.
      Promise.all(runs).then(() => {
        resolve({ kind: 'healthy' });
      }, reject);
    });
    return await failure;
  } finally {
    over.abort();
  }
}

async function runCheck(check: HealthCheck, tools: HealthTools, signal: AbortSignal): Promise<Health> {
  const timeoutMs = (check.timeoutSeconds ?? defaults.timeoutSeconds) * 1000;
  return check.kind === 'http' ? await checkHttp(check, timeoutMs, tools, signal) : await checkActive(check, timeoutMs, tools, signal);
}

type HttpCheck = Extract<HealthCheck, { kind: 'http' }>;
type ActiveCheck = Extract<HealthCheck, { kind: 'active' }>;

function unhealthy(detail: string): Health {
  return { kind: 'unhealthy', detail };
}

async function checkHttp(check: HttpCheck, timeoutMs: number, { clock, status, port: ownPort }: HealthTools, signal: AbortSignal): Promise<Health> {
  const deadline = clock.monotonic() + timeoutMs;
  const wanted = check.status ?? defaults.status;
  const successes = check.successes ?? defaults.successes;
  let inARow = 0;
  let last: string | undefined;
  let soonMs: number = installLimits.healthSoonMs;
  for (;;) {
    const now = await status();
    if (now.restarts >= installLimits.healthCrashesMax) return unhealthy(`it ended ${now.restarts} times during its health checks`);
    const port = now.port ?? ownPort;
    const url = check.url.replaceAll('${PORT}', String(port ?? '${PORT}'));
    const left = deadline - clock.monotonic();
    if (left <= 0) return unhealthy(`${url}: ${last ?? 'no answer'}, expected status ${wanted} ${successes} times in a row within ${timeoutMs / 1000} s`);
    const answer = await request(url, Math.min(left, installLimits.healthRequestMs), signal);
    signal.throwIfAborted();
    // An answer that the deadline cut off says less than the one before it.
    if (answer.status !== undefined || last === undefined || clock.monotonic() < deadline) last = answer.detail;
    inARow = answer.status === wanted ? inARow + 1 : 0;
    if (inARow >= successes) return { kind: 'healthy' };
    const interval = (check.intervalSeconds ?? defaults.intervalSeconds) * 1000;
    // Nobody listens yet: asked again soon, then ever later, so that most services are found up a moment after they are.
    const pause = answer.status === undefined ? Math.min(interval, soonMs) : interval;
    soonMs *= 2;
    await clock.wait(Math.max(1, Math.min(pause, deadline - clock.monotonic())), { signal });
  }
}

interface Answer {
  readonly status: number | undefined;
  readonly detail: string;
}

/** One GET; never rejects. Redirects are answers. The body is read to its bound, because a server may hang in the middle of it. */
async function request(url: string, timeoutMs: number, signal: AbortSignal): Promise<Answer> {
  let target: URL;
  try {
    target = new URL(url);
  } catch {
    return { status: undefined, detail: url.includes('${PORT}') ? `the application has no port on this machine; name one where it is configured` : `${JSON.stringify(url)} is not a URL` };
  }
  const ending = AbortSignal.any([signal, AbortSignal.timeout(Math.ceil(timeoutMs))]);
  return await new Promise<Answer>((resolve) => {
    const fail = (error: Error) => {
      resolve({ status: undefined, detail: ending.aborted ? `no whole answer after ${Math.ceil(timeoutMs) / 1000} s` : error.message });
    };
    const get = target.protocol === 'https:' ? https.get : http.get;
    const sent = get(target, { agent: false, signal: ending, headers: { 'user-agent': 'starling-health' } }, (response) => {
      const answer = { status: response.statusCode, detail: `status ${response.statusCode ?? 'none'}` };
      let bytes = 0;
      response.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes > installLimits.healthBodyBytesMax) {
          resolve(answer);
          response.destroy();
        }
      });
      response.on('end', () => {
        resolve(answer);
      });
      response.on('error', fail);
    });
    sent.on('error', fail);
  });
}

async function checkActive(check: ActiveCheck, timeoutMs: number, { clock, status }: HealthTools, signal: AbortSignal): Promise<Health> {
  const forMs = (check.forSeconds ?? defaults.forSeconds) * 1000;
  const deadline = clock.monotonic() + timeoutMs;
  let seen = await status();
  let since = clock.monotonic();
  for (;;) {
    const now = await status();
    if (now.restarts >= installLimits.healthCrashesMax) return unhealthy(`it ended ${now.restarts} times during its health checks`);
    if (now.state !== 'active' || now.pid !== seen.pid || now.restarts !== seen.restarts) {
      seen = now;
      since = clock.monotonic();
    }
    if (seen.state === 'active' && clock.monotonic() - since >= forMs) return { kind: 'healthy' };
    if (clock.monotonic() >= deadline) {
      return unhealthy(
        `${now.detail ?? now.state}, ${now.restarts} restarts: expected the same process for ${forMs / 1000} s within ${timeoutMs / 1000} s`,
      );
    }
    await clock.wait(Math.min(200, Math.max(1, forMs / 4)), { signal });
  }
}
