// The three versions that the demo deploys, as changes to one directory: what it begins with, one changed line, and a version that
// fails its health check. For its own application, and for whatever `--app DIR` names.

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { DeploySpec } from '../../../proto/deploy-spec.ts';
import { ControlError } from '../../errors.ts';
import { readSpec } from '../push/push.ts';
import { buildTree, copy } from './tree.ts';

/** What a target's port is asked during a deployment, and the answer of a version that serves. */
export interface Probe {
  readonly path: string;
  readonly status: number;
  /** Text that the body of a version holds; absent: the status is all that is looked at. */
  readonly expects: (version: string) => string | undefined;
}

/** The application of one demo. */
export interface DemoApp {
  /** Makes the tree of a version and says where it is: '1', then '2', then '3'. */
  readonly prepare: (version: DemoVersion) => Promise<string>;
  /** Absent when nothing of it listens. */
  readonly probe: Probe | undefined;
}

export const demoVersions = ['1', '2', '3'] as const;
export type DemoVersion = (typeof demoVersions)[number];

/** A health check gives up soon, so that the demo shows what happens then and not the waiting. */
const failingSeconds = 2;
const addedFile = 'starling-demo.txt';

/** The application that comes with the program. */
export function ownApp(source: string, checkout: string, directory: string): DemoApp {
  const server = join(directory, 'server.js');
  const line = (version: string, healthy: boolean): string => `const release = { version: '${version}', healthy: ${healthy} };`;
  const change = async (from: string, to: string): Promise<string> => {
    const text = await readFile(server, 'utf8');
    if (!text.includes(from)) throw new ControlError('FAILED', `the demo's server.js lacks the line that the demo changes: ${from}`);
    await writeFile(server, text.replace(from, to));
    return directory;
  };
  return {
    prepare: async (version) => {
      if (version === '2') return await change(line('1', true), line('2', true));
      if (version === '3') return await change(line('2', true), line('3', false));
      await buildTree(source, checkout, directory);
      return directory;
    },
    probe: { path: '/', status: 200, expects: (version) => `"version":"${version}"` },
  };
}

/**
 * The application in `source`, which is only read: the changes are made to a copy in `directory`.
 * @throws {ControlError} CONFIG_INVALID when the demo cannot run it; {ProtocolError} for a bad deploy.yaml.
 */
export async function foreignApp(source: string, directory: string): Promise<DemoApp> {
  const spec = await readSpec(source, () => {});
  if (spec.service.manager === 'systemd') {
    throw new ControlError('CONFIG_INVALID', `${source}/deploy.yaml has systemd run the service, which a demo may not do on this machine; use the manager process or none in a copy for the demo`);
  }
  return {
    prepare: async (version) => {
      if (version === '1') return source;
      if (version === '2') {
        await copy(source, directory, () => true);
        await writeFile(join(directory, addedFile), 'version 2 of the demo: this one file is new\n');
      } else {
        // Not in place: the copy may share its bytes with the original.
        await rm(join(directory, 'deploy.yaml'), { force: true });
        await writeFile(join(directory, 'deploy.yaml'), stringify(failing(spec)));
      }
      return directory;
    },
    probe: probeOf(spec),
  };
}

/** The same spec with a check that cannot pass. */
export function failing(spec: DeploySpec): DeploySpec {
  if (spec.service.manager !== 'process') {
    return { ...spec, hooks: { ...spec.hooks, healthCheck: [{ run: ['sh', '-c', 'echo version 3 of the demo is not healthy; exit 1'], timeoutSeconds: failingSeconds }] } };
  }
  const check = { kind: 'http', url: 'http://127.0.0.1:${PORT}/starling-demo-is-not-healthy', status: 599, intervalSeconds: 0.2, successes: 1, timeoutSeconds: failingSeconds } as const;
  return { ...spec, health: [...spec.health, check] };
}

function probeOf(spec: DeploySpec): Probe | undefined {
  if (spec.service.manager !== 'process') return undefined;
  const check = spec.health.find((candidate) => candidate.kind === 'http');
  if (check === undefined) return undefined;
  const url = check.url.replaceAll('${PORT}', '80');
  if (!URL.canParse(url)) return undefined;
  const { pathname, search } = new URL(url);
  return { path: `${pathname}${search}`, status: check.status ?? 200, expects: () => undefined };
}
