// `starling push`: a directory becomes a revision of an application. Cut and hashed here, asked for what is missing, sent, recorded.
// The command line of it is commands/release/push.ts; the demo pushes through the same function.

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cidOf } from '../../../proto/cid.ts';
import { defaultDeploySpec, DeploySpecSchema, type DeploySpec } from '../../../proto/deploy-spec.ts';
import { readDocument } from '../../../proto/document.ts';
import { checkPath } from '../../../proto/path.ts';
import { createRevision, ingest, type Ingested } from '../../../daemon/content/ingest/ingest.ts';
import { ControlError } from '../../errors.ts';
import { systemCode, type Api } from '../api.ts';
import type { TreeMemory } from './tree-memory.ts';
import { upload } from './upload.ts';
import type { World } from '../world.ts';

/** How the file is called inside the directory, unless a pipeline of the application says otherwise. */
const specName = 'deploy.yaml';

export interface PushOptions {
  /** Absolute. */
  readonly directory: string;
  readonly app: string;
  readonly alias?: string;
  readonly dryRun?: boolean;
  /** Where to remember what was read, so that it is not read again; nothing is remembered without. */
  readonly memory?: TreeMemory;
  /** Ask a proxy what it lacks although the control plane has this very revision: its store may be gone. */
  readonly resend?: boolean;
  readonly onRead: (progress: { readonly entries: number; readonly bytes: number }) => void;
  readonly onSend: (sent: number, missing: number) => void;
  readonly onRetry: (reason: string) => void;
  /** Something that is allowed and probably not meant. */
  readonly onWarning: (text: string) => void;
}

/** What a push did, or would do: the object of `-o json`. */
export interface PushResult {
  readonly app: string;
  readonly dryRun: boolean;
  /** Absent after a dry run. */
  readonly number?: number;
  readonly revision: string;
  readonly cid: string;
  readonly alias?: string;
  /** False when the control plane had this very revision already; absent after a dry run. */
  readonly created?: boolean;
  readonly entries: number;
  readonly chunks: number;
  /** Sum of the sizes of all files. */
  readonly treeBytes: number;
  /** Bytes of request bodies as sent: compressed, with manifest and index. */
  readonly uploadedBytes: number;
  /** The same as the proxy counted them in its last session. */
  readonly receivedBytes?: number;
  /** Chunk bytes that the proxy lacked, before compression. */
  readonly missingBytes: number;
  readonly missingChunks: number;
  /** Chunk bytes, each distinct one once, that were there already. */
  readonly reusedBytes: number;
  readonly seconds: number;
}

/**
 * Publishes a directory.
 * @throws {ControlError} by what the control plane or a proxy answered; {ProtocolError} for a bad deploy.yaml; {DaemonError} for what cannot be published.
 */
export async function push(api: Api, options: PushOptions, { clock, signal }: Pick<World, 'clock' | 'signal'>): Promise<PushResult> {
  const { directory, app, alias, dryRun = false } = options;
  const startedAt = clock.monotonic();
  const usual = readUsual(directory);
  // Whose deploy spec is elsewhere may have a file of that name for something else.
  const likely = await usual.catch(() => undefined);
  const remembered = await options.memory?.read(directory);
  const read = async (): Promise<Ingested> => {
    const ingested = await ingest(directory, { signal, onProgress: options.onRead, ...(options.memory === undefined ? {} : { memory: { remembered, now: () => clock.now() } }) });
    if (ingested.remembered !== undefined) await options.memory?.write(directory, ingested.remembered);
    return ingested;
  };
  // Nothing may have changed since the last push: looking takes a moment, and then one question tells whether all is there. Otherwise leave
  // is asked for before the tree is read, so that an unknown application or a bad token is known at once.
  const early = remembered?.fingerprint === undefined ? undefined : await read();
  const asked = early === undefined || alias !== undefined || dryRun || options.resend === true ? {} : { revision: createRevision(app, early, likely ?? defaultDeploySpec).digest };
  const grant = await api.call('createUpload', { params: { app }, body: asked });
  const spec = grant.deploySpec === undefined ? ((await usual) ?? (await without(directory, options.onWarning))) : await readNamed(directory, grant.deploySpec, app);
  const ingested = early ?? (await read());
  const { bytes: manifest, digest } = createRevision(app, ingested, spec);
  const { totals } = ingested;
  const sent = grant.known?.revision === digest
    ? { ...nothingSent, reply: { number: grant.known.number, created: false } }
    : await upload(
        { grant: grant.grant, proxies: grant.proxies, manifest, ingested, ...(alias === undefined ? {} : { alias }) },
        { clock, signal, onProgress: options.onSend, onRetry: options.onRetry, dryRun },
      );
  return {
    app,
    dryRun,
    ...sent.reply === undefined ? {} : { number: sent.reply.number, created: sent.reply.created, ...('receivedBytes' in sent.reply ? { receivedBytes: sent.reply.receivedBytes } : {}) },
    revision: digest,
    cid: cidOf(digest, 'dag-cbor'),
    ...(alias === undefined ? {} : { alias }),
    entries: totals.entries,
    chunks: totals.chunks,
    treeBytes: totals.bytes,
    uploadedBytes: sent.sentBytes,
    missingBytes: sent.missingBytes,
    missingChunks: sent.missingChunks,
    reusedBytes: Math.max(0, totals.distinctBytes - sent.missingBytes),
    seconds: Math.round(clock.monotonic() - startedAt) / 1000,
  };
}

/** What is sent of a revision that is there. */
const nothingSent = { sentBytes: 0, missingBytes: 0, missingChunks: 0 } as const;

/**
 * The deploy spec in a directory; one without is put in place and nothing is run.
 * @throws {ProtocolError} MALFORMED with line and column of each problem.
 */
export async function readSpec(directory: string, onWarning: (text: string) => void, named?: { readonly path: string; readonly app: string }): Promise<DeploySpec> {
  if (named !== undefined) return await readNamed(directory, named.path, named.app);
  return (await readUsual(directory)) ?? (await without(directory, onWarning));
}

async function readUsual(directory: string): Promise<DeploySpec | undefined> {
  const text = await readOptional(join(directory, specName));
  return text === undefined ? undefined : withinTheTree(readDocument(text, specName, DeploySpecSchema));
}

async function readNamed(directory: string, path: string, app: string): Promise<DeploySpec> {
  const text = await readOptional(join(directory, path));
  if (text === undefined) throw new ControlError('CONFIG_INVALID', `there is no '${path}' in ${directory}, where a pipeline says that the deploy spec of application '${app}' is; add it, or change deploySpec there`);
  return withinTheTree(readDocument(text, path, DeploySpecSchema), path);
}

async function without(directory: string, onWarning: (text: string) => void): Promise<DeploySpec> {
  for (const near of ['deploy.yml', 'deploy.json', 'Deploy.yaml']) {
    if ((await readOptional(join(directory, near))) !== undefined) onWarning(`${near} is not read as a deploy spec: the file is called ${specName}; the tree is put in place and nothing is run`);
  }
  return defaultDeploySpec;
}

/** What no target would do is refused before it is published. */
function withinTheTree(spec: DeploySpec, name = specName): DeploySpec {
  const { directories = [], files = [] } = spec.install.shared ?? {};
  for (const path of [...directories, ...files]) {
    try {
      checkPath(path);
    } catch (cause) {
      throw new ControlError('CONFIG_INVALID', `${name}: shared ${cause instanceof Error ? cause.message : String(cause)}; expected a path inside the tree`, { cause });
    }
  }
  return spec;
}

async function readOptional(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    // An absent directory is told by the walk, which says it better.
    const code = systemCode(cause);
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined;
    throw new ControlError('CONFIG_INVALID', `cannot read ${path}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
