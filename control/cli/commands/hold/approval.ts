// `starling approval`, `approve`, `reject`, `override` and `compliance`: what people are asked, what they say, and the proof of it.

import type { Command } from 'commander';
import { approvalPurposes, approvalStatuses, type Approval, type Evidence } from '../../../../proto/api/approvals.ts';
import { ControlError } from '../../../errors.ts';
import { listAll } from '../../api.ts';
import { momentsOf } from './restraints.ts';
import { contextOf, type Context } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { rulesText, setText } from '../../text/governance.ts';
import type { Moments } from '../../text/moments.ts';
import { durationText } from '../../text/text.ts';
import type { World } from '../../world.ts';

interface ListFlags {
  readonly mine?: boolean;
  readonly status?: string;
  readonly purpose?: string;
  readonly environment?: string;
}

export function registerApproval(program: Command, world: World): void {
  const approval = program.command('approval').description('requests for approval: what waits for people, and what they said');
  approval
    .command('list')
    .description('requests for approval, newest first; those that are open when no status is named')
    .option('--mine', 'only those in which your word would count')
    .option('--status <status>', `${approvalStatuses.join(', ')}, or all`)
    .option('--purpose <purpose>', approvalPurposes.join(', '))
    .option('-e, --environment <name>', 'only those for an environment')
    .action(async (flags: ListFlags, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const query = queryOf(flags);
      const client = await api();
      const moments = momentsOf(world);
      terminal.list(await listAll(async (page) => await client.call('listApprovals', { params: {}, query: { ...page, ...query } })), {
        name: (one) => one.approval,
        empty: flags.mine === true ? 'nothing waits for you' : 'nothing waits for approval',
        columns: [
          { title: 'REQUEST', cell: (one) => one.approval },
          { title: 'FOR', cell: ({ purpose, environment }) => `${purpose}${environment === undefined ? '' : ` to ${environment}`}` },
          { title: 'SET', cell: ({ members }) => setText(members) },
          { title: 'STATUS', cell: ({ status }) => status },
          { title: 'MISSING', cell: ({ missing, status }) => (status === 'open' ? rulesText(missing) || 'nothing' : '-') },
          { title: 'SINCE', cell: ({ openedAt }) => moments.relative(openedAt) },
          { title: 'EXPIRES', cell: ({ expiresAt, status }) => (expiresAt === undefined || status !== 'open' ? '-' : moments.text(expiresAt)) },
        ],
      });
    });
  approval
    .command('get')
    .description('one request: what exactly is approved, by whom it must be, and what was said')
    .argument('<request>')
    .action(async (id: string, _flags: object, self: Command) => {
      const context = contextOf(world, self);
      show(context, await (await context.api()).call('getApproval', { params: { approval: id } }));
    });
  approval
    .command('revoke')
    .description('take back what you said to a request')
    .argument('<request>')
    .requiredOption('--reason <text>', 'why; others will read it')
    .action(async (id: string, { reason }: { readonly reason: string }, self: Command) => {
      const context = contextOf(world, self);
      show(context, await (await context.api()).call('revokeVote', { params: { approval: id }, body: { reason } }));
    });
  approval
    .command('ask-again')
    .description('ask once more what was rejected, revoked or has expired')
    .argument('<request>')
    .requiredOption('--reason <text>', 'why; others will read it')
    .action(async (id: string, { reason }: { readonly reason: string }, self: Command) => {
      const context = contextOf(world, self);
      show(context, await (await context.api()).call('askAgain', { params: { approval: id }, body: { reason } }));
    });
}

export function registerApprove(program: Command, world: World): void {
  program
    .command('approve')
    .description('say yes to a request')
    .argument('<request>', 'as `starling approval list --mine` shows it')
    .option('--comment <text>', 'what others should know')
    .action(async (id: string, { comment }: { readonly comment?: string }, self: Command) => {
      const context = contextOf(world, self);
      show(context, await (await context.api()).call('approve', { params: { approval: id }, body: comment === undefined ? {} : { comment } }));
    });
  program
    .command('reject')
    .description('say no to a request')
    .argument('<request>')
    .requiredOption('--comment <text>', 'why not; others will read it')
    .action(async (id: string, { comment }: { readonly comment: string }, self: Command) => {
      const context = contextOf(world, self);
      show(context, await (await context.api()).call('reject', { params: { approval: id }, body: { comment } }));
    });
}

export function registerOverride(program: Command, world: World): void {
  program
    .command('override')
    .description('break the glass: lift a window, a freeze or a compliance policy for one promotion')
    .command('create')
    .description('ask those who may to lift what holds a promotion')
    .requiredOption('--promotion <id>', 'the promotion that waits')
    .requiredOption('--reason <text>', 'why; it stays on record with the deployment')
    .option('--lift <what>', 'window:NAME, freeze:ID or policy:NAME, separated by commas; all that holds it and may be lifted when it is left out')
    .action(async (flags: { readonly promotion: string; readonly reason: string; readonly lift?: string }, self: Command) => {
      const context = contextOf(world, self);
      const body = { reason: flags.reason, ...(flags.lift === undefined ? {} : { lifts: flags.lift.split(',').map((one) => one.trim()) }) };
      show(context, await (await context.api()).call('createOverride', { params: { promotion: flags.promotion }, body }));
    });
}

export function registerCompliance(program: Command, world: World): void {
  const compliance = program.command('compliance').description('compliance policies, and the evidence that they were kept');
  compliance
    .command('list')
    .description('the policies that are configured')
    .option('-e, --environment <name>', 'only those of an environment')
    .action(async (flags: { readonly environment?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const policies = await listAll(async (page) => await client.call('listCompliancePolicies', { params: {}, query: { ...page, ...flags } }));
      terminal.list(policies, {
        name: ({ pipeline, policy }) => `${pipeline}/${policy}`,
        empty: 'there are no compliance policies',
        columns: [
          { title: 'POLICY', cell: ({ pipeline, policy }) => `${pipeline}/${policy}` },
          { title: 'FRAMEWORK', cell: ({ framework, version }) => `${framework} v${version}` },
          { title: 'MODE', cell: ({ mode }) => mode },
          { title: 'ENVIRONMENTS', cell: ({ environments }) => environments.join(', ') },
          { title: 'DEMANDS', cell: ({ requires }) => requires.map(({ rule }) => rule).join(', ') },
          { title: 'LACKS', cell: ({ lacks }) => lacks.map(({ rule }) => rule).join(', ') || '-' },
          { title: 'BREAK GLASS', cell: ({ breakGlass }) => (breakGlass === undefined ? 'nobody' : `${breakGlass.count} of ${breakGlass.group}, for ${durationText(breakGlass.expiresMs)}${breakGlass.requireReview === true ? ', reviewed afterwards' : ''}`) },
        ],
      });
    });
  compliance
    .command('reviews')
    .description('uses of break-glass that nobody has looked at yet')
    .option('-e, --environment <name>', 'only those in an environment')
    .action(async (flags: { readonly environment?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const moments = momentsOf(world);
      terminal.list(await listAll(async (page) => await client.call('listApprovals', { params: {}, query: { ...page, ...flags, review: 'due' } })), {
        name: (one) => one.approval,
        empty: 'every use of break-glass was reviewed',
        columns: [
          { title: 'OVERRIDE', cell: (one) => one.approval },
          { title: 'LIFTED', cell: ({ lifts = [] }) => lifts.join(', ') },
          { title: 'FOR', cell: ({ members, environment }) => `${setText(members)} to ${environment ?? '-'}` },
          { title: 'USED BY', cell: ({ review }) => review?.deployment ?? '-' },
          { title: 'SINCE', cell: ({ review }) => (review?.usedAt === undefined ? '-' : moments.relative(review.usedAt)) },
          { title: 'ASKED BY', cell: ({ by, reason }) => `${by}${reason === undefined ? '' : `: ${reason}`}` },
        ],
      });
    });
  compliance
    .command('review')
    .description('say what you saw of a use of break-glass in which you had no part')
    .argument('<override>', 'as `starling compliance reviews` shows it')
    .requiredOption('--comment <text>', 'what you saw; it stays on record')
    .action(async (id: string, { comment }: { readonly comment: string }, self: Command) => {
      const context = contextOf(world, self);
      show(context, await (await context.api()).call('reviewOverride', { params: { approval: id }, body: { comment } }));
    });
  compliance
    .command('evidence')
    .description('why a promotion was let go, found again from stored data; -o json is the document for auditors')
    .argument('<promotion>')
    .action(async (id: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const evidence = await (await api()).call('getEvidence', { params: { promotion: id } });
      terminal.object(evidence, { text: (one) => evidenceText(one, momentsOf(world)), name: ({ promotion }) => promotion });
    });
}

function queryOf({ mine, status, purpose, environment }: ListFlags) {
  const wanted = approvalStatuses.find((one) => one === status);
  if (status !== undefined && status !== 'all' && wanted === undefined) throw new ControlError('CONFIG_INVALID', `--status: '${status}' is none of ${approvalStatuses.join(', ')}, all`);
  const about = approvalPurposes.find((one) => one === purpose);
  if (purpose !== undefined && about === undefined) throw new ControlError('CONFIG_INVALID', `--purpose: '${purpose}' is none of ${approvalPurposes.join(', ')}`);
  const only = wanted ?? (status === undefined ? 'open' : undefined);
  return {
    ...(mine === true ? { assignee: 'me' as const } : {}),
    ...(only === undefined ? {} : { status: only }),
    ...(about === undefined ? {} : { purpose: about }),
    ...(environment === undefined ? {} : { environment }),
  };
}

function show({ terminal, world }: Context, approval: Approval): void {
  terminal.object(approval, { text: (one) => approvalText(one, momentsOf(world)), name: (one) => one.approval });
}

function approvalText(one: Approval, moments: Moments): string {
  const { approval, purpose, status, environment, members, set, missing, votes, excluded, changes, reason, lifts, expiresAt, outcome, mine, openedAt, by } = one;
  const open = status === 'open';
  return [
    `${approval}: ${purpose} of ${setText(members)}${environment === undefined ? '' : ` to ${environment}`} [${status}]${outcome === undefined ? '' : `: ${outcome}`}`,
    `  set ${set.slice(0, 16)}, asked ${moments.relative(openedAt)} by ${by}${reason === undefined ? '' : `: ${reason}`}`,
    ...(lifts === undefined ? [] : [`  lifts ${lifts.join(', ')}${one.countsForMs === undefined ? '' : ` for ${durationText(one.countsForMs)}`}`]),
    ...reviewText(one, moments),
    ...(open ? [`  missing: ${rulesText(missing) || 'nothing; it takes effect at once'}${expiresAt === undefined ? '' : `; expires ${moments.text(expiresAt)}`}`] : []),
    ...votes.map((vote) => `  ${vote.by} ${vote.decision === 'approve' ? 'approved' : 'rejected'} ${moments.relative(vote.at)}${vote.groups.length === 0 ? '' : ` (${vote.groups.join(', ')})`}${vote.comment === undefined ? '' : `: ${vote.comment}`}${vote.revokedAt === undefined ? '' : `, taken back ${moments.relative(vote.revokedAt)}`}`),
    ...(excluded.length === 0 ? [] : [`  not counted, since they wrote or asked for it: ${excluded.join(', ')}`]),
    ...changes.slice(0, 20).map(({ commit, author, message }) => `  ${commit.slice(0, 10)} ${author}: ${message.split('\n')[0] ?? ''}`),
    ...(changes.length > 20 ? [`  and ${changes.length - 20} more changes`] : []),
    ...(open ? [mine.may ? `  your word would count: starling approve ${approval}` : `  you cannot act: ${mine.why ?? 'others must'}`] : []),
  ].map(visible).join('\n');
}

function reviewText({ approval, review }: Approval, moments: Moments): readonly string[] {
  if (review === undefined) return [];
  if (review.by !== undefined) return [`  used by ${review.deployment ?? '-'}, reviewed by ${review.by}: ${review.comment ?? ''}`];
  if (review.usedAt === undefined) return ['  once it is used, somebody who had no part in it reviews that'];
  return [`  used by ${review.deployment ?? '-'} ${moments.relative(review.usedAt)}, and not reviewed yet: starling compliance review ${approval} --comment TEXT`];
}

function evidenceText({ promotion, environment, members, phase, started, decidedAt, asOf, policies, approvals, blockers, exemptions, reproduced, by, reason }: Evidence, moments: Moments): string {
  return [
    `${promotion}: ${setText(members)} to ${environment}, asked by ${by}${reason === undefined ? '' : `: ${reason}`} [${phase}]`,
    started ? `  let go ${moments.text(decidedAt)}, entry ${asOf + 1} of the journal; ${reproduced ? 'stored data gives the same decision' : 'STORED DATA GIVES ANOTHER DECISION'}` : '  not let go yet; this is what holds it now',
    ...policies.flatMap(({ policy, framework, version, mode, met, lifted, rules }) => [
      `  ${framework} policy ${policy} v${version}, ${mode}: ${met ? 'met' : lifted === undefined ? 'not met' : `not met, lifted by ${lifted}`}`,
      ...rules.filter((rule) => !rule.met).map(({ missing, clause }) => `    ${missing.join('; ')}${clause === undefined ? '' : ` (${clause})`}`),
    ]),
    ...approvals.map(({ approval, purpose, status, votes }) => `  ${approval} (${purpose}) ${status}: ${votes.map((vote) => `${vote.by} ${vote.decision}d`.replace('rejectd', 'rejected')).join(', ') || 'nobody spoke'}`),
    ...exemptions.map(({ gate, why, ref }) => `  past ${gate} by ${why}${ref === undefined ? '' : ` [${ref}]`}`),
    ...blockers.map(({ type, reason: held }) => `  held by ${type}: ${held}`),
  ].map(visible).join('\n');
}
