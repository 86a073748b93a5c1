// `starling audit list`, `verify` and `export`: who did what, whether the journal is still what was written, and a copy of it
// that anybody can check without the control plane.

import { createReadStream } from 'node:fs';
import { hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';
import type { Command } from 'commander';
import { Compile } from 'typebox/compile';
import { AuditLineSchema, type AuditEntry, type AuditQuery, type AuditVerdict } from '../../../../proto/api/audit.ts';
import { ChainCheck, checkpointText, parseCheckpoint, type AuditLine, type Checkpoint } from '../../../../proto/audit-chain.ts';
import { limits } from '../../../../proto/limits.ts';
import { ControlError } from '../../../errors.ts';
import type { Api } from '../../api.ts';
import { contextOf, type Context } from '../../context.ts';
import { visible } from '../../text/escape.ts';
import { parseSince } from '../../since.ts';
import type { World } from '../../world.ts';

/** Entries shown when nobody says how many. */
const shownDefault = 50;
/** Differences of one entry that people are shown; `-o json` has all. */
const differencesShown = 12;
const valueCharactersMax = 80;
/** One line of an export: a fact about ten thousand targets is below a megabyte. */
const lineCharactersMax = 16 * 1024 * 1024;

const auditLine = Compile(AuditLineSchema);

interface ListFlags {
  readonly actor?: string;
  readonly object?: string;
  readonly action?: string;
  readonly since?: string;
  readonly limit: string;
}

export function registerAudit(program: Command, world: World): void {
  const audit = program.command('audit').description('who did what, and the proof that nobody rewrote it');
  audit
    .command('list')
    .description('what people, machines and the control plane did, newest first, with what each change of configuration changed')
    .option('--actor <actor>', 'only of one: token:ID, member:ID, system, or the name of a token or a machine')
    .option('--object <object>', 'only about one: environment:prod, pipeline:shop, or a bare name')
    .option('--action <action>', 'only of one kind: pipeline.applied, or all of a kind: pipeline')
    .option('--since <when>', 'not older than this: 36h, or an instant such as 2026-06-01T12:00Z')
    .option('--limit <number>', 'so many entries', String(shownDefault))
    .action(async (flags: ListFlags, command: Command) => {
      const context = contextOf(world, command);
      const entries = await entriesOf(await context.api(), flags, world);
      context.terminal.list(entries, { columns: columnsOf(context), name: ({ seq }) => String(seq), empty: 'nothing on record that fits' });
      if (context.terminal.format === 'table') for (const line of entries.flatMap((entry) => detailsOf(entry))) context.terminal.line(line);
    });
  audit
    .command('verify')
    .description('whether every entry is as it was written, in its place; exit code 1 when one is not')
    .argument('[file]', 'an export, checked here and now without the control plane')
    .option('--checkpoint <seq:hash>', 'a place that was printed before and kept elsewhere: it must be found')
    .action(async (file: string | undefined, flags: { readonly checkpoint?: string }, command: Command) => {
      const context = contextOf(world, command);
      const checkpoint = checkpointOf(flags.checkpoint);
      const verdict = file === undefined ? await verifyThere(await context.api(), checkpoint) : await verifyFile(resolve(world.directory, file), checkpoint);
      context.terminal.object(verdict, { text: describeVerdict, name: ({ head }) => (head === undefined ? '' : checkpointText(head)) });
      if (!verdict.whole) throw new ControlError('FAILED', verdict.breach?.reason ?? 'the audit is not whole');
    });
  audit
    .command('export')
    .description('every entry as one line of JSON, and at the end the place in the chain that was reached')
    .option('--out <file>', 'where to; standard output when it is left out')
    .option('--after <seq>', 'only entries above this number', '0')
    .action(async (flags: { readonly out?: string; readonly after: string }, command: Command) => {
      const context = contextOf(world, command);
      if (!/^[0-9]{1,15}$/.test(flags.after)) throw new ControlError('CONFIG_INVALID', `--after: '${flags.after}' is not the number of an entry`);
      await exportTo(await context.api(), Number(flags.after), flags.out, context);
    });
}

async function entriesOf(api: Api, { limit, since, ...filter }: ListFlags, world: World): Promise<readonly AuditEntry[]> {
  const wanted = Number(limit);
  if (!Number.isInteger(wanted) || wanted < 1) throw new ControlError('CONFIG_INVALID', `--limit: '${limit}' is not a number of entries`);
  const query: AuditQuery = { ...filter, ...(since === undefined ? {} : { since: parseSince(since, '--since', world.clock.now()) }) };
  const found: AuditEntry[] = [];
  for (let cursor: string | undefined; found.length < wanted; ) {
    const page = await api.call('listAudit', { params: {}, query: { ...query, limit: Math.min(limits.pageItemsMax, wanted - found.length), ...(cursor === undefined ? {} : { cursor }) } });
    found.push(...page.items);
    cursor = page.next;
    if (cursor === undefined) break;
  }
  return found;
}

function columnsOf({ terminal }: Context) {
  return [
    { title: 'ENTRY', align: 'right', cell: ({ seq }: AuditEntry) => String(seq) },
    { title: 'WHEN', cell: ({ at }: AuditEntry) => new Date(at).toISOString() },
    { title: 'WHO', cell: ({ actor, actorName }: AuditEntry) => (actorName === undefined ? actor : `${actorName} (${actor})`) },
    { title: 'ACTION', cell: ({ action }: AuditEntry) => action, colour: ({ changes }: AuditEntry) => (changes === undefined || !terminal.stdout.isTTY ? undefined : 'cyan') },
    { title: 'OBJECT', cell: ({ object }: AuditEntry) => object },
    { title: 'REASON', cell: ({ reason }: AuditEntry) => reason ?? '' },
  ] as const;
}

/** Below the table, entry by entry: what was before and after, and the command that undoes it. */
function detailsOf({ seq, action, object, changes, undo }: AuditEntry): readonly string[] {
  if ((changes === undefined || changes.length === 0) && undo === undefined) return [];
  const shown = (changes ?? []).slice(0, differencesShown).map(({ pointer, before, after }) => `  ${pointer === '' ? '(whole)' : pointer}: ${valueText(before)} → ${valueText(after)}`);
  const more = (changes ?? []).length - shown.length;
  return ['', `entry ${seq}, ${action} of ${object}:`, ...shown, ...(more > 0 ? [`  and ${more} more; -o json has all`] : []), ...(undo === undefined ? [] : [`  undo: ${undo}`])].map(visible);
}

function valueText(value: unknown): string {
  if (value === undefined) return '(nothing)';
  const text = JSON.stringify(value);
  return text.length > valueCharactersMax ? `${text.slice(0, valueCharactersMax)}…` : text;
}

function checkpointOf(text: string | undefined): Checkpoint | undefined {
  if (text === undefined) return undefined;
  const checkpoint = parseCheckpoint(text);
  if (checkpoint === undefined) throw new ControlError('CONFIG_INVALID', `--checkpoint: '${text}' is not number:hash, as \`starling audit verify\` prints it`);
  return checkpoint;
}

/** Piece by piece, as many entries as the server looks at in one go. */
async function verifyThere(api: Api, checkpoint: Checkpoint | undefined): Promise<AuditVerdict> {
  const kept = checkpoint === undefined ? {} : { checkpoint: checkpointText(checkpoint) };
  let verdict = await api.call('verifyAudit', { params: {}, query: kept });
  while (!verdict.complete && verdict.whole && verdict.head !== undefined) {
    const next = await api.call('verifyAudit', { params: {}, query: { ...kept, from: checkpointText(verdict.head) } });
    verdict = { ...next, entries: verdict.entries + next.entries, unchained: verdict.unchained + next.unchained };
  }
  return verdict;
}

/** @throws {ControlError} CONFIG_INVALID when the file is no export. */
async function verifyFile(file: string, checkpoint: Checkpoint | undefined): Promise<AuditVerdict> {
  let check: ChainCheck | undefined;
  let entries = 0;
  let ended: Checkpoint | undefined;
  const verdict = (breach: AuditVerdict['breach']): AuditVerdict => ({
    whole: breach === undefined, entries, unchained: check?.unchained ?? 0, complete: true,
    ...(check?.head === undefined ? {} : { head: { ...check.head } }), ...(breach === undefined ? {} : { breach: { ...breach } }),
  });
  for await (const text of linesOf(file)) {
    const value = parsed(text);
    if (value.kind === 'end') ended = value.checkpoint;
    else if (value.kind === 'none') throw new ControlError('CONFIG_INVALID', `'${file}': line ${entries + 1} is no entry of an audit; is this what \`starling audit export\` wrote?`);
    else {
      check ??= new ChainCheck(sha256, checkpoint === undefined ? {} : { checkpoint });
      const breach = check.take(value.line);
      if (breach !== undefined) return verdict(breach);
      entries += 1;
    }
  }
  const head = check?.head;
  if (ended === undefined || head === undefined || head.seq !== ended.seq || head.hash !== ended.hash) {
    return verdict({ seq: (head?.seq ?? 0) + 1, kind: 'missing', reason: `the export ends at entry ${head?.seq ?? 0}, and not where it says: ${ended === undefined ? 'its last line, which names the end, is missing' : `at entry ${ended.seq}`}` });
  }
  return verdict(check?.end());
}

async function* linesOf(file: string): AsyncGenerator<string> {
  try {
    for await (const line of createInterface({ input: createReadStream(file, 'utf8'), crlfDelay: Infinity })) {
      if (line.length > lineCharactersMax) throw new ControlError('CONFIG_INVALID', `'${file}' has a line of ${line.length} characters; that is no export of an audit`);
      if (line !== '') yield line;
    }
  } catch (cause) {
    if (cause instanceof ControlError) throw cause;
    throw new ControlError('CONFIG_INVALID', `'${file}' cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

type Parsed = { readonly kind: 'line'; readonly line: AuditLine } | { readonly kind: 'end'; readonly checkpoint: Checkpoint | undefined } | { readonly kind: 'none' };

function parsed(text: string): Parsed {
  try {
    const value: unknown = JSON.parse(text);
    if (auditLine.Check(value)) return { kind: 'line', line: value };
    const end: unknown = typeof value === 'object' && value !== null && 'checkpoint' in value ? value.checkpoint : undefined;
    return typeof end === 'string' ? { kind: 'end', checkpoint: parseCheckpoint(end) } : { kind: 'none' };
  } catch {
    return { kind: 'none' };
  }
}

async function exportTo(api: Api, after: number, out: string | undefined, { world, terminal }: Context): Promise<void> {
  const handle = out === undefined ? undefined : await created(resolve(world.directory, out));
  try {
    let entries = 0;
    let head: Checkpoint | undefined;
    const write = async (text: string): Promise<void> => {
      if (handle === undefined) terminal.line(text);
      else await handle.write(`${text}\n`);
    };
    for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
      const page = await api.call('exportAudit', { params: {}, query: { limit: limits.pageItemsMax, ...(cursor === undefined ? { after } : { cursor }) } });
      for (const line of page.items) {
        await write(JSON.stringify(line));
        head = line.hash === undefined ? undefined : { seq: line.seq, hash: line.hash };
        entries += 1;
      }
      cursor = page.next;
    }
    await write(JSON.stringify({ checkpoint: head === undefined ? '' : checkpointText(head) }));
    terminal.say(`${entries} entries exported${head === undefined ? '' : `, up to ${checkpointText(head)}`}; check them with \`starling audit verify${out === undefined ? ' FILE' : ` ${out}`}\``);
  } finally {
    await handle?.close();
  }
}

async function created(file: string) {
  try {
    return await open(file, 'wx');
  } catch (cause) {
    throw new ControlError('CONFIG_INVALID', `'${file}' cannot be made: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}

function describeVerdict({ whole, entries, unchained, head, breach }: AuditVerdict): string {
  const old = unchained === 0 ? '' : `; the first ${unchained} are from before there was a chain, and nothing vouches for them`;
  if (!whole) return visible(`broken at entry ${breach?.seq ?? 0}: ${breach?.reason ?? ''} (${entries} entries were looked at)`);
  return `${entries} entries, each as it was written and in its place${old}${head === undefined ? '' : `\nkeep this elsewhere: ${checkpointText(head)}`}`;
}

function sha256(text: string): string {
  return hash('sha256', text);
}
