// Requests to where settings and pipelines say: people's chats, servers that measure. Who writes a pipeline may name any address, so some are never asked,
// whatever names them: the connection is made to the very addresses that were looked at, and nobody is led elsewhere (threats.md, H6).

import { lookup as dnsLookup, type LookupAddress, type LookupAllOptions } from 'node:dns';
import http, { type IncomingMessage } from 'node:http';
import https from 'node:https';
import { BlockList, isIP, type LookupFunction } from 'node:net';

/** What is sent. */
export interface Outbound {
  readonly method: 'GET' | 'POST';
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

/**
 * No service of anybody's: "this host", link-local addresses, among which clouds tell a machine its secrets, those at which some do so besides, multicast
 * and broadcast. Loopback and private networks are where fleets keep what measures them.
 */
const never = new BlockList();
never.addSubnet('0.0.0.0', 8, 'ipv4');
never.addSubnet('169.254.0.0', 16, 'ipv4');
never.addSubnet('224.0.0.0', 3, 'ipv4');
never.addAddress('168.63.129.16', 'ipv4');
never.addAddress('100.100.100.200', 'ipv4');
never.addAddress('::', 'ipv6');
never.addSubnet('fe80::', 10, 'ipv6');
never.addSubnet('ff00::', 8, 'ipv6');
never.addAddress('fd00:ec2::254', 'ipv6');

/**
 * The answer, its body not yet read: whoever does not read it to its end destroys it. A redirect is an answer like any other. Rejects when there is none,
 * and with the signal's reason in its cause when that fires.
 */
export async function ask(url: string, { method, headers, body }: Outbound, signal: AbortSignal): Promise<IncomingMessage> {
  const target = new URL(url);
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) check(host, host);
  return await new Promise<IncomingMessage>((respond, reject) => {
    const { request } = target.protocol === 'https:' ? https : http;
    const sent = request(target, { method, headers: { 'user-agent': 'starling', ...headers }, signal, lookup }, respond);
    sent.on('error', reject);
    sent.end(body);
  });
}

/** What Node asks for the addresses of a name. */
export type Resolve = (hostname: string, options: LookupAllOptions, found: (error: Error | null, addresses: LookupAddress[]) => void) => void;

/** The addresses of a name as `resolve` has them. One that is never asked refuses the name: an honest service has none such among its own. */
export function guarded(resolve: Resolve): LookupFunction {
  return (hostname, options, found) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return found(error, []);
      try {
        for (const { address } of addresses) check(hostname, address);
      } catch (refusal) {
        return found(refusal instanceof Error ? refusal : new Error(String(refusal)), []);
      }
      const [first] = addresses;
      return options.all === true || first === undefined ? found(null, addresses) : found(null, first.address, first.family);
    });
  };
}

const lookup = guarded(dnsLookup);

/** @throws {Error} when an address is one of those that are never asked. */
function check(host: string, address: string): void {
  // The zone of an address says by which way it is reached, not whose it is.
  const bare = address.split('%', 1)[0] ?? '';
  if (never.check(bare, isIP(bare) === 6 ? 'ipv6' : 'ipv4')) throw new Error(`${host === address ? host : `${host} is ${address}, which`} is no address of a service and is never asked; name another`);
}
