// The fleet's side of the control plane: enrolment, reports, hand-over. The long conversation is sync.ts.

import { createHash } from 'node:crypto';
import { cidOf, digestOfCid, type Cid, type Digest } from '../../proto/cid.ts';
import { ProtocolError } from '../../proto/errors.ts';
import type { EnrolReply, EnrolRequest, HandOverReply, HandOverRequest, Report } from '../../proto/fleet.ts';
import { decodeRevision } from '../../proto/revision-codec.ts';
import type { Grant } from '../../proto/statement.ts';
import type { RevisionRecord, State } from '../core/model/model.ts';
import { revisionOf } from '../core/model/select.ts';
import { ControlError } from '../errors.ts';
import { demand, submit } from './facts.ts';
import type { Fleet, ReportsReply } from './fleet.ts';
import { Nonces } from './nonces.ts';
import { recordReports } from './reports.ts';
import { certificateOf } from './statements.ts';
import { Conversations, memberOf, type SyncOptions } from './sync.ts';

export interface FleetOptions extends SyncOptions {
  /** Checks the proof against the digest of the token's secret. @throws {ControlError} UNAUTHENTICATED. */
  readonly verifyEnrolment: (request: EnrolRequest, secretDigest: Digest) => void;
}

/** Grants remembered as used, until they expire: above it hand-over waits. */
const grantsMax = 20_000;

export class Members implements Fleet {
  readonly #options: FleetOptions;
  readonly #conversations: Conversations;
  readonly #nonces: Nonces;
  /** Nobody's: a proof with an unknown token is checked against it, so that the answer takes as long and says as little. */
  readonly #nobody: Digest;
  /** The revision that each grant served, in memory: after a restart a grant that has not expired could serve another one. */
  readonly #grants = new Map<string, { readonly revision: Digest; readonly until: number }>();
  readonly sync: Fleet['sync'];

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#conversations = new Conversations(options);
    this.#nonces = new Nonces(options.random, () => options.clock.now());
    this.#nobody = Buffer.from(options.random(32)).toString('hex');
    this.sync = async (member, request, waiting) => await this.#conversations.sync(member, request, waiting);
  }

  close(): void {
    this.#conversations.close();
  }

  challenge() {
    return { nonce: this.#nonces.issue() };
  }

  mistimed(id: string, aheadMs: number): void {
    const { facts, presence, log } = this.#options;
    const member = facts.state().members.get(id);
    // Nobody reads a target's own log.
    if (member !== undefined && presence.mistimed(member.member, aheadMs)) log.warn({ target: member.name, aheadMs }, 'a member is refused because its clock is wrong');
  }

  async enrol(request: EnrolRequest): Promise<EnrolReply> {
    const { metrics, log } = this.#options;
    try {
      const reply = await this.#enrol(request);
      metrics.enrollments.inc({ method: 'token', result: 'success' });
      log.info({ member: request.member, name: request.name, roles: request.roles, token: request.tokenId }, 'a member enrolled');
      return reply;
    } catch (error) {
      metrics.enrollments.inc({ method: 'token', result: 'refused' });
      if (error instanceof ControlError) log.warn({ member: request.member, name: request.name, code: error.code }, 'an enrolment was refused');
      throw error;
    }
  }

  async #enrol(request: EnrolRequest): Promise<EnrolReply> {
    const { facts, clock, repository, org, verifyEnrolment } = this.#options;
    const { tokenId, member, name, publicKey, roles, attributes, nonce } = request;
    this.#nonces.check(nonce);
    const token = facts.state().tokens.get(tokenId);
    verifyEnrolment(request, token?.use === 'join' ? token.secretDigest : this.#nobody);
    this.#nonces.use(nonce);
    const command = { kind: 'enrol-member', token: tokenId, member, name, publicKey, roles, attributes } as const;
    const { state } = demand(await submit(facts, `token:${tokenId}`, command, clock));
    const enrolled = memberOf(state, member);
    return { certificate: certificateOf(enrolled, org, repository), environments: [...enrolled.environments] };
  }

  async report(id: string, reports: readonly Report[]): Promise<ReportsReply> {
    const { facts, presence } = this.#options;
    memberOf(facts.state(), id);
    presence.seen(id);
    return await recordReports(id, reports, this.#options);
  }

  async handOver(id: string, request: HandOverRequest): Promise<HandOverReply> {
    const { facts, clock, presence, repository } = this.#options;
    const member = memberOf(facts.state(), id);
    presence.seen(id);
    if (!member.roles.includes('proxy')) throw new ControlError('FORBIDDEN', `member '${member.name}' is not a proxy, and hands nothing over: its roles are ${member.roles.join(', ')}`);
    const grant = repository.verifyGrant(request.grant);
    const manifest = Buffer.from(request.manifest, 'base64');
    const revision = decoded(manifest);
    if (revision.app !== grant.app) throw new ControlError('FORBIDDEN', `the grant is for application '${grant.app}', the revision is one of '${revision.app}'`);
    const digest = createHash('sha256').update(manifest).digest('hex');
    this.#useGrant(grant, digest);
    const command = {
      kind: 'register-revision',
      app: revision.app,
      revision: digest,
      cid: cidOf(digest, 'dag-cbor'),
      manifest: manifest.toString('base64'),
      manifestBytes: manifest.length,
      entries: revision.entries,
      bytes: revision.bytes,
      chunks: revision.chunks,
      uploadedBytes: request.uploadedBytes,
      proxy: id,
      ...(request.alias === undefined ? {} : { alias: request.alias }),
    } as const;
    const done = demand(await submit(facts, grant.user, command, clock));
    const { number, created } = done.revision ?? { number: revisionOf(done.state, revision.app, digest)?.number ?? 0, created: false };
    return { app: revision.app, revision: digest, number, created };
  }

  /** One grant, one revision: a proxy that kept a grant must not publish another with it. The same one again is a retry. */
  #useGrant(grant: Grant, revision: Digest): void {
    const now = this.#options.clock.now();
    for (const [id, { until }] of this.#grants) {
      if (until >= now) break;
      this.#grants.delete(id);
    }
    const used = this.#grants.get(grant.id);
    if (used !== undefined && used.revision !== revision) throw new ControlError('CONFLICT', 'this grant has published another revision already: ask for a new one for each upload');
    if (this.#grants.size >= grantsMax) throw new ControlError('TOO_MANY_REQUESTS', `${grantsMax} uploads were finished within minutes: try again in a moment`);
    this.#grants.set(grant.id, { revision, until: grant.notAfter * 1000 });
  }

  manifest(id: string, cid: Cid): Uint8Array | undefined {
    const { facts, presence } = this.#options;
    const state = facts.state();
    const member = memberOf(state, id);
    presence.seen(id);
    const digest = digestOfCid(cid);
    const all = member.roles.includes('seed') || member.roles.includes('proxy');
    const environments = [...state.environments.values()].filter(({ environment }) => member.environments.includes(environment));
    const apps = all ? [...state.apps.keys()] : environments.flatMap((environment) => environment.apps);
    const record = find(state, apps, digest);
    return record === undefined ? undefined : Buffer.from(record.manifest, 'base64');
  }
}

function find(state: State, apps: readonly string[], digest: Digest): RevisionRecord | undefined {
  for (const app of apps) {
    const record = revisionOf(state, app, digest);
    if (record !== undefined) return record;
  }
  return undefined;
}

function decoded(manifest: Uint8Array) {
  try {
    return decodeRevision(manifest);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new ControlError('INVALID_REQUEST', `the revision manifest is refused: ${cause.message}`, { cause });
  }
}
