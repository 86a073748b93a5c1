// `starling doctor`: what is wrong between this machine, its control plane and the fleet, each with what to do about it. It asks and
// changes nothing. What holds a single promotion is `starling explain`; a target's own state is `starlingd status` there.

import type { Command } from 'commander';
import type { Status } from '../../../../proto/api/status.ts';
import type { Target } from '../../../../proto/api/targets.ts';
import { limits } from '../../../../proto/limits.ts';
import { ControlError } from '../../../errors.ts';
import { createApi, listAll, type Api } from '../../api.ts';
import { contextOf, endpointOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import type { ExitCode } from '../../exit.ts';
import { aheadText, durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

/** Beyond this, orders and tokens are refused for being too early or too late; clocks that are set by network time differ by far less. */
const skewMsMax = 30_000;
/** Names that are told of one finding. */
const namesMax = 5;

/** One thing that was looked at. */
interface Finding {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'failed';
  readonly found: string;
  /** What to do; of what is not well. */
  readonly fix?: string;
}

export function registerDoctor(program: Command, world: World, setExit: (code: ExitCode) => void): void {
  program
    .command('doctor')
    .description('what is wrong with settings, clocks, versions and the fleet, and what to do; ends with 1 when something failed')
    .action(async (_flags: object, command: Command) => {
      const { terminal } = contextOf(world, command);
      const findings = await examined(world, command);
      terminal.list(findings, {
        name: ({ check }) => check,
        empty: 'nothing was looked at',
        columns: [
          { title: 'CHECK', cell: ({ check }) => check },
          { title: 'STATE', cell: ({ state }) => state },
          { title: 'FOUND', cell: ({ found }) => visible(found) },
          { title: 'WHAT TO DO', cell: ({ fix = '-' }) => visible(fix) },
        ],
      });
      if (findings.some(({ state }) => state === 'failed')) setExit(1);
    });
}

async function examined(world: World, command: Command): Promise<readonly Finding[]> {
  const major = Number(/^v(\d+)\./.exec(world.nodeVersion)?.[1]);
  const runtime: Finding = major >= 24 ? ok('runtime', `Node ${world.nodeVersion}`) : { check: 'runtime', state: 'failed', found: `Node ${world.nodeVersion}`, fix: 'run with Node 24 or newer' };
  let endpoint;
  try {
    endpoint = await endpointOf(world, command);
  } catch (error) {
    return [runtime, failed('settings', error, 'name a control plane and a token: `starling login URL`, or STARLING_URL and STARLING_TOKEN_FILE')];
  }
  const settings = ok('settings', `${endpoint.url}, token of ${endpoint.tokenFrom}`);
  const api = createApi(endpoint, world);
  const asked = world.clock.now();
  try {
    const status = await api.call('getStatus', { params: {} });
    const answered = world.clock.now();
    const about = [ok('control plane', `${status.org} answers after ${answered - asked} ms`), clockFinding(status.now - (asked + answered) / 2), versionFinding(status, world.version), keysFinding(status)];
    return [runtime, settings, ...about, ...(await fleetFindings(api, status))];
  } catch (error) {
    const rights = error instanceof ControlError && (error.code === 'UNAUTHENTICATED' || error.code === 'FORBIDDEN');
    return [runtime, settings, failed('control plane', error, rights ? 'use a token that is valid and has the scope read:*; `starling token create --api` makes one' : 'see that `starling control` runs there, that the address is right, and that nothing in between refuses the connection')];
  }
}

function ok(check: string, found: string): Finding {
  return { check, state: 'ok', found };
}

function failed(check: string, error: unknown, fix: string): Finding {
  return { check, state: 'failed', found: error instanceof Error ? error.message : String(error), fix };
}

function clockFinding(aheadMs: number): Finding {
  const off = Math.abs(aheadMs);
  if (off <= skewMsMax) return ok('clock', `within ${Math.ceil(off / 1000)} s of the control plane's`);
  return { check: 'clock', state: 'failed', found: `${durationText(Math.round(off / 1000) * 1000)} ${aheadMs > 0 ? 'behind' : 'ahead of'} the control plane's`, fix: 'set both by network time; `timedatectl` says which of them is not' };
}

function versionFinding({ version }: Status, own: string): Finding {
  return version === own ? ok('version', version) : { check: 'version', state: 'warning', found: `${own} here, ${version} at the control plane`, fix: 'use the same version on both' };
}

function keysFinding({ developmentKeys }: Status): Finding {
  if (!developmentKeys) return ok('keys', 'not on the disk of the control plane');
  return { check: 'keys', state: 'warning', found: "development keys, on the control plane's own disk", fix: 'whoever reads that disk can sign for the fleet: let nobody else read it, and keep its backups as safe' };
}

async function fleetFindings(api: Api, { environments, now }: Status): Promise<readonly Finding[]> {
  const of = async (role: 'agent' | 'seed' | 'proxy') => await listAll(async (page) => await api.call('listTargets', { params: {}, query: { ...page, role } }));
  const [seeds, proxies, agents] = [await of('seed'), await of('proxy'), await of('agent')];
  const away = agents.filter((agent) => isQuiet(agent, now));
  const versions = new Set(agents.flatMap(({ version }) => version ?? []));
  const ill = agents.filter(({ running }) => running.some(({ healthy, drifted }) => healthy === false || drifted !== undefined));
  const empty = environments.filter(({ targets }) => targets.total === 0).map(({ environment }) => environment);
  return [
    roleFinding('seeds', seeds, now, 'nobody gives what no target holds', 'seed'),
    roleFinding('proxies', proxies, now, 'nothing can be pushed', 'proxy'),
    away.length === 0 ? ok('targets', agents.length === 0 ? 'none yet' : `${agents.length}, all heard just now`) : { check: 'targets', state: 'warning', found: `${away.length} of ${agents.length} not heard: ${quietText(away, now)}`, fix: '`starling target get NAME` says when it was last heard; look at `starlingd status` there' },
    ...missetFindings([...new Map([...agents, ...seeds, ...proxies].map((one) => [one.member, one])).values()]),
    ...(versions.size > 1 ? [{ check: 'target versions', state: 'warning', found: [...versions].toSorted().join(', '), fix: 'bring all daemons to one version' } as const] : []),
    ...(ill.length === 0 ? [] : [{ check: 'releases', state: 'failed', found: `not healthy, or not as installed: ${namesOf(ill)}`, fix: '`starling env drift ENVIRONMENT` says what; look at the log of starlingd there, and at its disk' } as const]),
    ...(empty.length === 0 ? [] : [{ check: 'environments', state: 'warning', found: `without a target: ${empty.slice(0, namesMax).join(', ')}`, fix: `join machines with the labels that it selects: \`starling status ${empty[0]}\` says which, \`starling token create --join --environments ${empty[0]} --labels KEY=VALUE\` makes a token for them` } as const]),
  ];
}

/** Those that the control plane refuses for their clocks: to everybody else they look as if they were off. */
function missetFindings(members: readonly Target[]): readonly Finding[] {
  const misset = members.flatMap(({ name, clock }) => (clock === undefined ? [] : [`${name} (${aheadText(clock.aheadMs)})`]));
  if (misset.length === 0) return [];
  const found = `of ${misset.slice(0, namesMax).join(', ')}${misset.length > namesMax ? ', …' : ''}, whose requests are refused for it`;
  return [{ check: 'target clocks', state: 'failed', found, fix: 'set them by network time; `timedatectl` there says whether they are. They are heard again by themselves' }];
}

function roleFinding(check: string, members: readonly Target[], now: number, means: string, role: 'seed' | 'proxy'): Finding {
  const away = members.filter((member) => isQuiet(member, now));
  if (members.length === 0) return { check, state: 'failed', found: 'none', fix: `${means}: let one join with \`starling token create --join --roles seed,proxy --save FILE\`, \`starlingd join URL --token-file FILE --roles seed,proxy\` and \`starlingd run --roles seed,proxy\` there` };
  if (away.length === members.length) return { check, state: 'failed', found: `none of ${members.length} heard: ${quietText(away, now)}`, fix: `${means}: see whether \`starlingd run --roles ${role}\` runs there` };
  return ok(check, `${members.length - away.length} of ${members.length} heard just now`);
}

/** Sooner than the control plane calls anybody stale, which takes a minute. */
function isQuiet({ connectivity, lastSeenAt = 0 }: Target, now: number): boolean {
  return connectivity !== 'online' || now - lastSeenAt > limits.unheardMs;
}

/** Names, with how long each was not heard. */
function quietText(members: readonly Target[], now: number): string {
  const texts = members.slice(0, namesMax).map(({ name, lastSeenAt }) => `${name} (${lastSeenAt === undefined ? 'never' : `${durationText(now - lastSeenAt)} ago`})`);
  return `${texts.join(', ')}${members.length > namesMax ? ', …' : ''}`;
}

function namesOf(members: readonly Target[]): string {
  return `${members.slice(0, namesMax).map(({ name }) => name).join(', ')}${members.length > namesMax ? ', …' : ''}`;
}
