// `starling revision`: what is known of revisions, what differs between two, and which of them go nowhere.

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Vetoes } from '../../../../proto/api/restraints.ts';
import type { DescribeRevision, RevisionDetail, RevisionDiff } from '../../../../proto/api/revisions.ts';
import { ControlError } from '../../../errors.ts';
import { listAll } from '../../api.ts';
import { revisionColumns } from '../arrange/catalog.ts';
import { momentsOf } from '../hold/restraints.ts';
import { contextOf } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { parseRevision } from '../../text/governance.ts';
import type { Moments } from '../../text/moments.ts';
import { bytesText } from '../../text/text.ts';
import type { World } from '../../world.ts';

export function registerRevision(program: Command, world: World): void {
  const revision = program.command('revision').description('revisions: what is in them, and which go nowhere');
  registerReading(revision, world);
  registerVeto(revision, world);
  revision
    .command('priority')
    .description('prefer a revision where the priority decides, or put it behind others')
    .argument('<app@revision>')
    .argument('<number>', 'from -1000 to 1000; 0 is what all have')
    .option('--reason <text>', 'why, for the record')
    .action(async (text: string, number: string, { reason }: { readonly reason?: string }, self: Command) => {
      if (!/^-?[0-9]{1,4}$/.test(number)) throw new ControlError('CONFIG_INVALID', `'${number}' is not a number from -1000 to 1000`);
      const { api, terminal } = contextOf(world, self);
      const params = parseRevision(text);
      const client = await api();
      const { tag } = await client.callWithTag('getRevision', { params });
      const set = await client.call('setPriority', { params, body: { priority: Number(number), ...(reason === undefined ? {} : { reason }) }, ifMatch: tag ?? '*' });
      terminal.object(set, { text: (one) => visible(`${one.app}@${one.number} has priority ${one.priority}`), name: nameOf });
    });
  revision
    .command('describe')
    .description('tell what is known of a revision, from a JSON file: changes, tests, compat, requires, closure')
    .argument('<app@revision>')
    .requiredOption('-f, --file <file>', 'such as {"tests": {"passed": 10, "total": 10}}')
    .action(async (text: string, { file }: { readonly file: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const described = await (await api()).call('describeRevision', { params: parseRevision(text), body: await readDescription(resolve(world.directory, file)) });
      terminal.object(described, { text: (one) => detailText(one, momentsOf(world)), name: nameOf });
    });
}

function registerReading(revision: Command, world: World): void {
  revision
    .command('list')
    .description('the revisions of an application, newest first')
    .argument('<app>')
    .action(async (app: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const client = await api();
      const revisions = await listAll(async (query) => await client.call('listRevisions', { params: { app }, query }));
      terminal.list(revisions, { columns: revisionColumns, name: nameOf, empty: `no revision yet: \`starling push DIR --app ${app}\` publishes one` });
    });
  revision
    .command('get')
    .description('one revision with what is known of it')
    .argument('<app@revision>', 'such as web@41 or web@latest')
    .action(async (text: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const found = await (await api()).call('getRevision', { params: parseRevision(text) });
      terminal.object(found, { text: (one) => detailText(one, momentsOf(world)), name: nameOf });
    });
  revision
    .command('diff')
    .description('what changed from one revision of an application to another')
    .argument('<from>', 'such as web@40')
    .argument('<to>', 'such as web@41')
    .action(async (from: string, to: string, _flags: object, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const [before, params] = [parseRevision(from), parseRevision(to)];
      if (before.app !== params.app) throw new ControlError('CONFIG_INVALID', `'${from}' and '${to}' are of two applications; a difference is of one`);
      const diff = await (await api()).call('diffRevisions', { params, query: { from: before.revision } });
      terminal.object(diff, { text: diffText, name: ({ app, from: a, to: b }) => `${app}@${a.number}..${b.number}` });
    });
}

function registerVeto(revision: Command, world: World): void {
  const options = (command: Command): Command =>
    command.argument('<app@revision>').requiredOption('--reason <text>', 'why; others will read it').option('-e, --environment <name>', 'only there; everywhere when it is left out');
  options(revision.command('veto').description('let a revision go nowhere: not chosen, not promoted, not rolled back to')).action(
    async (text: string, { reason, environment }: { readonly reason: string; readonly environment?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const params = parseRevision(text);
      const client = await api();
      const { tag } = await client.callWithTag('getVetoes', { params });
      const placed = await client.call('placeVeto', { params, body: { reason, ...(environment === undefined ? {} : { environment }) }, ifMatch: tag ?? '*' });
      terminal.object(placed, { text: vetoesText, name: nameOf });
    },
  );
  options(revision.command('unveto').description('take a veto away')).action(
    async (text: string, { reason, environment }: { readonly reason: string; readonly environment?: string }, self: Command) => {
      const { api, terminal } = contextOf(world, self);
      const params = parseRevision(text);
      const client = await api();
      const { tag } = await client.callWithTag('getVetoes', { params });
      await client.call('removeVeto', { params, query: { reason, ...(environment === undefined ? {} : { environment }) }, ifMatch: tag ?? '*' });
      terminal.object(await client.call('getVetoes', { params }), { text: vetoesText, name: nameOf });
    },
  );
}

/** @throws {ControlError} CONFIG_INVALID; what the fields must be is the API's to say. */
async function readDescription(path: string): Promise<DescribeRevision> {
  try {
    const value: DescribeRevision = JSON.parse(await readFile(path, 'utf8'));
    return value;
  } catch (cause) {
    throw new ControlError('CONFIG_INVALID', `${path} is not a JSON file that can be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

const nameOf = ({ app, number }: { readonly app: string; readonly number: number }): string => `${app}@${number}`;

function vetoesText({ app, number, vetoes }: Vetoes): string {
  if (vetoes.length === 0) return `${app}@${number} is not vetoed`;
  return vetoes.map(({ environment, by, reason }) => visible(`${app}@${number} is vetoed${environment === undefined ? '' : ` in ${environment}`} by ${by}: ${reason}`)).join('\n');
}

function detailText(one: RevisionDetail, moments: Moments): string {
  const { app, number, alias, bytes, createdAt, createdBy, changes, priority, tests, requires, closure, compat, signedBy, expired, vetoes, runsIn } = one;
  return [
    `${app}@${number}${alias === undefined ? '' : ` (${alias})`}  ${bytesText(bytes)}  pushed ${moments.text(createdAt)} by ${createdBy}`,
    `  runs in ${runsIn.join(', ') || 'no environment'}${expired ? '; expired' : ''}${priority === 0 ? '' : `; priority ${priority}`}`,
    ...(tests === undefined ? [] : [`  tests: ${tests.passed} of ${tests.total} passed${tests.score === undefined ? '' : `, score ${tests.score}`}`]),
    ...(requires.length === 0 ? [] : [`  needs ${requires.map(({ node, version }) => `${node} ${version}`).join(', ')}`]),
    ...(closure.length === 0 ? [] : [`  built of ${closure.length === 1 ? '1 dependency' : `${closure.length} dependencies`} (-o json lists them)`]),
    ...(compat.length === 0 ? [] : [`  fits ${compat.join(', ')}`]),
    ...(signedBy.length === 0 ? [] : [`  signed by ${signedBy.join(', ')}`]),
    ...vetoes.map(({ environment, by, reason }) => `  vetoed${environment === undefined ? '' : ` in ${environment}`} by ${by}: ${reason}`),
    ...changes.map(({ commit, author, message }) => `  ${commit.slice(0, 10)} ${author}: ${message.split('\n')[0] ?? ''}`),
  ].map(visible).join('\n');
}

function diffText({ app, from, to, changes, backwards, bytes, chunks, requires, closure }: RevisionDiff): string {
  const signed = (value: number): string => `${value < 0 ? '-' : '+'}${bytesText(Math.abs(value))}`;
  return [
    `${app}@${from.number} → ${app}@${to.number}: ${signed(bytes)}, ${chunks < 0 ? '' : '+'}${chunks} chunks${backwards ? '; these changes are taken back:' : ''}`,
    ...requires.map(({ node, from: before, to: after }) => `  needs ${node} ${after ?? 'no longer'}${before === undefined ? '' : ` instead of ${before}`}`),
    ...closure.map(({ name, from: before, to: after }) => after === undefined ? `  no longer built of ${name} ${before ?? ''}` : `  built of ${name} ${after}${before === undefined ? '' : ` instead of ${before}`}`),
    ...changes.map(({ number, commit, author, message }) => `  ${app}@${number} ${commit.slice(0, 10)} ${author}: ${message.split('\n')[0] ?? ''}`),
    ...(changes.length === 0 ? ['  no change was told of these revisions'] : []),
  ].map(visible).join('\n');
}
