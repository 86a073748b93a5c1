// The user interface as files: one page for each of its addresses, and what that page loads. Everybody may load it, since nothing of the
// fleet is in it: what it shows it asks /v1 for, with the token of the person. Making the files is control/bundle's.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { WebBundle, WebFile } from '../bundle/bundle.ts';
import { ControlError } from '../errors.ts';
import { plainRoute } from './route.ts';

export interface PagesOptions {
  /** The interface, made when it is first asked for. */
  readonly web: () => Promise<WebBundle>;
  readonly webIcon: WebFile;
}

/** Addresses of the interface: whatever is reloaded or sent to a colleague must lead to the page. */
const addresses = ['/', '/pipelines', '/pipelines/*', '/environments/*', '/promotions/*', '/deployments/*', '/approvals', '/approvals/*', '/targets', '/targets/*', '/swarm', '/changes', '/trace', '/audit', '/calendar', '/settings'] as const;

/**
 * Nothing from elsewhere, nothing written into the page, no text turned into markup, and nobody may frame it (threats.md, W1 to W3).
 * There is no cookie: the token goes with each request by the page's own hand, so that no other site can have a request carry it.
 */
const policy = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";

const headers = {
  'content-security-policy': policy,
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
} as const;

/** A year: a name is never used for other bytes. */
const immutable = 'public, max-age=31536000, immutable';

/** Registers the page and its files. */
export function pageRoutes(app: FastifyInstance, { web, webIcon }: PagesOptions): void {
  for (const url of addresses) {
    plainRoute(app, { method: 'GET', url, access: 'everybody' }, async (request, reply) => await sendFile(request, reply.header('cache-control', 'no-cache'), (await web()).page));
  }
  plainRoute(app, { method: 'GET', url: '/assets/icon.svg', access: 'everybody' }, async (request, reply) => await sendFile(request, reply.header('cache-control', 'public, max-age=86400'), webIcon));
  plainRoute(app, { method: 'GET', url: '/assets/:name', access: 'everybody' }, async (request, reply) => {
    const name = request.url.slice('/assets/'.length);
    const file = (await web()).assets.get(name);
    if (file === undefined) throw new ControlError('NOT_FOUND', `there is no ${name.slice(0, 100)}: the control plane was updated since the page was loaded; load it again`);
    return await sendFile(request, reply.header('cache-control', immutable), file);
  });
}

async function sendFile(request: FastifyRequest, reply: FastifyReply, file: WebFile): Promise<FastifyReply> {
  const accepted = String(request.headers['accept-encoding'] ?? '');
  const coding = /\bbr\b/.test(accepted) ? 'br' : /\bgzip\b/.test(accepted) ? 'gzip' : undefined;
  void reply.headers(headers).type(file.type).header('vary', 'accept-encoding');
  if (coding !== undefined) void reply.header('content-encoding', coding);
  return await reply.send(coding === 'br' ? file.brotli : coding === 'gzip' ? file.gzip : file.plain);
}
