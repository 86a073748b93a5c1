// One control plane's repository and one member that believes it, on disk in a temporary directory, with a clock that tests set.

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { openRepository } from '../../control/trust/file-repository.ts';
import type { RoleEntry, TrustRepository } from '../../control/trust/repository.ts';
import { openTrust } from '../../daemon/trust/file-trust.ts';
import { createIdentity, type Identity } from '../../daemon/trust/identity/identity.ts';
import type { Trust } from '../../daemon/trust/trust.ts';
import type { Certificate, Order } from '../../proto/statement.ts';

export const hourMs = 60 * 60_000;
export const dayMs = 24 * hourMs;

export interface Stage {
  readonly directory: string;
  readonly clock: { now: number };
  repository: TrustRepository;
  trust: Trust;
  readonly identity: Identity;
  /** Opens the member's trust again, as after a restart. */
  reopenTrust(): Promise<Trust>;
  reopenRepository(): Promise<TrustRepository>;
  /** Publishes the role of `environment` and hands the member what it lacks. */
  publish(environment: string, revisions: Readonly<Record<string, Partial<RoleEntry>>>): Promise<void>;
  sync(environments?: readonly string[]): ReturnType<Trust['update']>;
  order(change?: Partial<Order>): Order;
  certificate(change?: Partial<Certificate>): Certificate;
}

export const silent = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, child: () => silent };

export async function temporaryDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'starling-trust-'));
  onTestFinished(async () => {
    await rm(directory, { recursive: true, force: true });
  });
  return directory;
}

export function revisionOf(letter: string): string {
  return letter.repeat(64);
}

/** A member in environment `dev` whose role names revision aa… of `web`. */
export async function createStage(): Promise<Stage> {
  const directory = await temporaryDirectory();
  const clock = { now: Date.UTC(2026, 0, 1) };
  const now = () => clock.now;
  const openControl = async () => await openRepository({ dataDir: join(directory, 'control'), org: 'acme', now, log: silent });
  const repository = await openControl();
  const identity = await createIdentity(join(directory, 'agent'));
  const openMember = async () => await openTrust({ dataDir: join(directory, 'agent'), pin: repository.rootDigest(), now });
  const stage: Stage = {
    directory,
    clock,
    repository,
    trust: await openMember(),
    identity,
    reopenTrust: async () => (stage.trust = await openMember()),
    reopenRepository: async () => (stage.repository = await openControl()),
    publish: async (environment, revisions) => {
      const whole = Object.entries(revisions).map(([app, entry]) => [app, { revision: revisionOf('a'), bytes: 100, number: 1, ...entry }]);
      await stage.repository.publish(environment, Object.fromEntries(whole));
      await stage.sync();
    },
    sync: async (environments = ['dev']) => await stage.trust.update(stage.repository.files(stage.trust.versions(), environments)),
    order: (change = {}) => {
      const seconds = clock.now / 1000;
      const order: Order = {
        environment: 'dev', app: 'web', seq: 1, deployment: 'd-1', action: 'activate', revision: revisionOf('a'), revisionNumber: 1, roleVersion: 1,
        targets: [identity.member], batch: 0, notBefore: seconds, notAfter: seconds + 3600,
      };
      return { ...order, ...change };
    },
    certificate: (change = {}) => {
      const seconds = clock.now / 1000;
      const certificate: Certificate = {
        org: 'acme', member: identity.member, name: 'web-1', roles: ['agent'], environments: ['dev'], labels: {}, serial: 1,
        notBefore: seconds, notAfter: seconds + 7 * 24 * 3600,
      };
      return { ...certificate, ...change };
    },
  };
  await stage.trust.pinRoot(Buffer.from(repository.rootFile()));
  await stage.publish('dev', { web: {} });
  return stage;
}

/** The code with which `work` fails, or `undefined` when it does not. Anything but an error of ours fails the test. */
export async function codeOf(work: () => unknown): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof Error && (error.name === 'DaemonError' || error.name === 'ControlError') && 'code' in error) return String(error.code);
    throw error;
  }
}
