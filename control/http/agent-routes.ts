// /agent/v1: the fleet's side (proto/fleet.ts) over HTTP. Every request but enrolment is proven by the member's key over the exact
// bytes of its body, which is why bodies are read as bytes here. What is answered is control/fleet.

import { hash } from 'node:crypto';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import Type, { type TSchema } from 'typebox';
import { Compile } from 'typebox/compile';
import { isDigest, cidOf, type Digest } from '../../proto/cid.ts';
import { ChallengeReplySchema, EnrolReplySchema, EnrolRequestSchema, HandOverReplySchema, HandOverRequestSchema, ReportsRequestSchema, SyncRequestSchema } from '../../proto/fleet.ts';
import { limits } from '../../proto/limits.ts';
import { ControlError } from '../errors.ts';
import type { Fleet } from '../fleet/fleet.ts';
import type { Authenticator } from './auth.ts';
import { decodeReports, decodeSync } from './decode-reports.ts';
import type { Access } from './route.ts';
import { SyncAnswers } from './sync-answers.ts';

/** Proves who sent a request: `verify` of control/trust/member-request.ts. */
export interface MemberVerifier {
  /** @throws {ControlError} UNAUTHENTICATED, TOO_MANY_REQUESTS. */
  verify(authorization: string | undefined, request: { readonly method: string; readonly path: string; readonly body: Digest }): Promise<{ readonly member: string }>;
}

export interface AgentRoutesOptions {
  readonly fleet: Fleet;
  readonly verifier: MemberVerifier;
  readonly authenticator: Authenticator;
}

/** Bytes and their digest, as received. */
interface Received {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
}

const nothing: Received = { bytes: new Uint8Array(), digest: hash('sha256', '') };
/** With a reason of its own: the one that is made otherwise carries a stack. */
const hungUp = 'the member hung up';
const ReportsReplySchema = Type.Object({ recorded: Type.Integer(), refused: Type.Integer() });

/** Registers the routes, in a context of their own. */
export async function agentRoutes(app: FastifyInstance, options: AgentRoutesOptions): Promise<void> {
  const { fleet } = options;
  const received = new WeakMap<FastifyRequest, Received>();
  const bodies = new Bodies(received);
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit: limits.apiBodyBytesMax }, (request, body, done) => {
    const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body);
    received.set(request, { bytes, digest: hash('sha256', bytes) });
    done(null, undefined);
  });
  const route = (method: 'GET' | 'POST', url: string, access: Access, reply: TSchema | undefined, handler: (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>, long = false): void => {
    app.route({ method, url, config: { access, long }, ...(reply === undefined ? {} : { schema: { response: { 200: reply } } }), handler });
  };
  const member = async (request: FastifyRequest): Promise<string> => await proven(request, received.get(request) ?? nothing, options);

  route('POST', '/agent/v1/enrol/challenge', 'enrolment', ChallengeReplySchema, async (request) => {
    options.authenticator.admit(request.ip);
    return fleet.challenge();
  });
  route('POST', '/agent/v1/enrol', 'enrolment', EnrolReplySchema, async (request) => {
    options.authenticator.admit(request.ip);
    const asked = bodies.read(request, enrolForm);
    try {
      return await fleet.enrol(asked);
    } catch (error) {
      if (error instanceof ControlError && error.code === 'UNAUTHENTICATED') options.authenticator.failed(request.ip, 'member');
      throw error;
    }
  });
  const answers = new SyncAnswers();
  route('POST', '/agent/v1/sync', 'member', undefined, async (request, reply) => {
    const gone = new AbortController();
    reply.raw.once('close', () => {
      if (!reply.raw.writableFinished) gone.abort(hungUp);
    });
    const id = await member(request);
    const answer = await fleet.sync(id, decodeSync(bodies.read(request, syncForm)), { signal: gone.signal });
    const { bytes, encoding } = await answers.encode(answer, request.headers['accept-encoding']);
    if (encoding !== undefined) void reply.header('content-encoding', encoding);
    return await reply.type('application/json; charset=utf-8').send(bytes);
  }, true);
  route('POST', '/agent/v1/reports', 'member', ReportsReplySchema, async (request) => await fleet.report(await member(request), decodeReports(bodies.read(request, reportsForm))));
  route('POST', '/agent/v1/revisions', 'member', HandOverReplySchema, async (request) => await fleet.handOver(await member(request), bodies.read(request, handOverForm)));
  route('GET', '/agent/v1/revisions/:revision', 'member', undefined, async (request, reply) => {
    const id = await member(request);
    const { revision } = revisionOf(request);
    const bytes = fleet.manifest(id, isDigest(revision) ? cidOf(revision, 'dag-cbor') : revision);
    if (bytes === undefined) throw new ControlError('NOT_FOUND', `there is no revision ${revision} for this member`);
    return await reply.type('application/vnd.ipld.dag-cbor').send(bytes);
  });
}

const enrolForm = Compile(EnrolRequestSchema);
const syncForm = Compile(SyncRequestSchema);
const reportsForm = Compile(ReportsRequestSchema);
const handOverForm = Compile(HandOverRequestSchema);
const revisionForm = Compile(Type.Object({ revision: Type.String({ maxLength: 128 }) }));

function revisionOf(request: FastifyRequest) {
  return revisionForm.Check(request.params) ? request.params : { revision: '' };
}

/** The member that a request is proven to come from. @throws {ControlError} UNAUTHENTICATED, TOO_MANY_REQUESTS. */
async function proven(request: FastifyRequest, { digest }: Received, { verifier, authenticator, fleet }: AgentRoutesOptions): Promise<string> {
  authenticator.admit(request.ip);
  try {
    const { member } = await verifier.verify(request.headers.authorization, { method: request.method, path: request.url, body: digest });
    return member;
  } catch (error) {
    const mistimed = mistimedIn(error);
    if (mistimed !== undefined) {
      authenticator.mistimed();
      fleet.mistimed(mistimed.provenMember, mistimed.aheadMs);
    } else if (error instanceof ControlError && error.code === 'UNAUTHENTICATED') authenticator.failed(request.ip, 'member');
    throw error;
  }
}

/** Whose key was right when only the time was not, and by how much its clock is ahead. */
function mistimedIn(error: unknown): { readonly provenMember: string; readonly aheadMs: number } | undefined {
  const cause = error instanceof ControlError ? error.cause : undefined;
  if (typeof cause !== 'object' || cause === null || !('provenMember' in cause) || !('aheadMs' in cause)) return undefined;
  const { provenMember, aheadMs } = cause;
  return typeof provenMember === 'string' && typeof aheadMs === 'number' ? { provenMember, aheadMs } : undefined;
}

interface Form<Value> {
  Check(value: unknown): value is Value;
  Errors(value: unknown): readonly { readonly instancePath: string; readonly message: string }[];
}

class Bodies {
  readonly #received: WeakMap<FastifyRequest, Received>;

  constructor(received: WeakMap<FastifyRequest, Received>) {
    this.#received = received;
  }

  /** The body as what the form says. @throws {ControlError} INVALID_REQUEST. */
  read<Value>(request: FastifyRequest, form: Form<Value>): Value {
    const value = parsed((this.#received.get(request) ?? nothing).bytes);
    if (form.Check(value)) return value;
    const first = form.Errors(value)[0];
    throw new ControlError('INVALID_REQUEST', `the request is not of the agreed form: ${first?.instancePath || 'the body'} ${first?.message ?? ''}`);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parsed(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(utf8.decode(bytes));
  } catch (cause) {
    throw new ControlError('INVALID_REQUEST', 'the body is not JSON', { cause });
  }
}
