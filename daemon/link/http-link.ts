// The link over HTTP: /agent/v1 of one control plane, each request signed by the member's key, and what its answers must look like. One request and its
// answer are http-exchange.ts's. No retries here: the loops that call decide when to come again.

import { Compile } from 'typebox/compile';
import { cidOf } from '../../proto/cid.ts';
import { ChallengeReplySchema, EnrolReplySchema, HandOverReplySchema, SyncReplySchema } from '../../proto/fleet.ts';
import { limits } from '../../proto/limits.ts';
import { DaemonError } from '../errors.ts';
import { callTimeoutMs, exchange, type Answer, type Call, type RequestSigner } from './http-exchange.ts';
import type { EnrolmentLink, Link } from './link.ts';

const replies = {
  sync: Compile(SyncReplySchema),
  handOver: Compile(HandOverReplySchema),
  challenge: Compile(ChallengeReplySchema),
  enrol: Compile(EnrolReplySchema),
};

/** The link of a member. `url` is the control plane's base URL. */
export function createHttpLink(url: string, sign: RequestSigner): Link {
  const call = async (request: Call): Promise<Answer> => await exchange(url, request, sign);
  return {
    sync: async (request, { signal }) => {
      const timeoutMs = request.waitMs + callTimeoutMs;
      return reply(replies.sync, await call({ method: 'POST', path: '/agent/v1/sync', body: request, timeoutMs, bytesMax: limits.syncBodyBytesMax, signal }), 'sync');
    },
    report: async (reports, { signal }) => {
      accepted(await call({ method: 'POST', path: '/agent/v1/reports', body: { reports }, bytesMax: limits.apiBodyBytesMax, signal }), 'reports');
    },
    handOver: async (request, { signal }) =>
      reply(replies.handOver, await call({ method: 'POST', path: '/agent/v1/revisions', body: request, bytesMax: limits.apiBodyBytesMax, signal }), 'hand-over'),
    manifest: async (revision, { signal }) => {
      const path = `/agent/v1/revisions/${cidOf(revision, 'dag-cbor')}`;
      const answer = await call({ method: 'GET', path, bytesMax: limits.revisionBytesMax, signal });
      return answer.status === 404 ? undefined : accepted(answer, 'revision manifest').bytes;
    },
  };
}

/** The link of a machine that is not a member yet: nothing is signed. */
export function createEnrolmentLink(url: string): EnrolmentLink {
  const call = async (request: Call): Promise<Answer> => await exchange(url, request, undefined);
  return {
    root: async ({ signal }) => accepted(await call({ method: 'GET', path: '/v1/trust/root.json', bytesMax: limits.rootBytesMax, signal }), 'trust root').bytes,
    challenge: async ({ signal }) =>
      reply(replies.challenge, await call({ method: 'POST', path: '/agent/v1/enrol/challenge', body: {}, bytesMax: limits.apiBodyBytesMax, signal }), 'challenge'),
    enrol: async (request, { signal }) =>
      reply(replies.enrol, await call({ method: 'POST', path: '/agent/v1/enrol', body: request, bytesMax: limits.apiBodyBytesMax, signal }), 'enrolment'),
  };
}

function accepted(answer: Answer, what: string): Answer {
  if (answer.status >= 200 && answer.status < 300) return answer;
  const text = problem(answer.bytes);
  if (answer.status === 429 || answer.status >= 500) throw new DaemonError('CONTROL_UNREACHABLE', `the control plane could not take the ${what} now (HTTP ${answer.status}: ${text})`);
  const advice = answer.status === 400 ? '; a control plane that is older than this daemon does not understand all that it says: replace the control plane first, then its daemons' : '';
  throw new DaemonError('CONTROL_REFUSED', `the control plane refused the ${what} (HTTP ${answer.status}): ${text}${advice}`);
}

/** The part of a compiled schema that is used here. */
interface Validator<Value> {
  Check(value: unknown): value is Value;
  Errors(value: unknown): readonly { readonly instancePath: string; readonly message: string }[];
}

function reply<Value>(validator: Validator<Value>, answer: Answer, what: string): Value {
  const { bytes } = accepted(answer, what);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    throw new DaemonError('CONTROL_REFUSED', `the control plane's answer to the ${what} is not JSON`, { cause });
  }
  if (validator.Check(value)) return value;
  const first = validator.Errors(value)[0];
  throw new DaemonError('CONTROL_REFUSED', `the control plane's answer to the ${what} is not of the agreed form: ${first?.instancePath ?? ''} ${first?.message ?? ''}; replace this daemon by one of the control plane's version`);
}

/** The sentence of a problem document (RFC 9457), or the text itself, for a person. */
function problem(bytes: Uint8Array): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 4096));
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && 'detail' in parsed && typeof parsed.detail === 'string') return parsed.detail;
  } catch {
    // Not JSON: some proxy in between answered; its text is all there is.
  }
  return text.trim() || 'no explanation';
}
