// Handlers of single revisions: what is known of them, what differs between two, vetoes and priority.

import type { RevisionDetail, RevisionDiff } from '../../../proto/api/revisions.ts';
import type { RevisionRecord, State } from '../../core/model/model.ts';
import { changesBetween, descriptionOf, runsIn } from '../../core/model/revisions.ts';
import { findRevision } from '../../core/model/select.ts';
import { ControlError } from '../../errors.ts';
import { answered, etagOf, found, unmatched, type ApiOptions, type Handlers } from './api.ts';
import { vetoView } from '../views/governance.ts';
import { revisionView } from '../views/views.ts';

type RevisionOperation = 'getRevision' | 'diffRevisions' | 'describeRevision' | 'setPriority' | 'getVetoes' | 'placeVeto' | 'removeVeto';

export function revisionHandlers({ facts, submit }: ApiOptions): Handlers<RevisionOperation> {
  const detail = (state: State, record: RevisionRecord) => ({ body: detailView(state, record), headers: { etag: etagOf([descriptionOf(state, record)?.priority ?? 0]) } });
  const vetoes = (state: State, record: RevisionRecord) => {
    const found = vetoesOf(state, record);
    const { app, revision, number } = record;
    return { body: { app, revision, number, vetoes: found.map((veto) => vetoView(state, veto)) }, headers: { etag: etagOf(found.map(({ environment, at }) => [environment, at])) } };
  };
  return {
    getRevision: async ({ params: { app, revision } }) => detail(facts.state(), recordOf(facts.state(), app, revision)),
    diffRevisions: async ({ params: { app, revision }, query: { from } }) => ({ body: diffView(facts.state(), recordOf(facts.state(), app, from), recordOf(facts.state(), app, revision)) }),
    describeRevision: async ({ params: { app, revision }, body, caller }) => {
      const record = recordOf(facts.state(), app, revision);
      return answered(await submit(caller.actor, { kind: 'describe-revision', app, revision: record.revision, description: body }), (state) => detail(state, record));
    },
    setPriority: async ({ params: { app, revision }, body: { priority }, caller, ifMatch }) => {
      const record = recordOf(facts.state(), app, revision);
      const problem = unmatched(ifMatch, detail(facts.state(), record).headers.etag);
      if (problem !== undefined) return { problem };
      return answered(await submit(caller.actor, { kind: 'describe-revision', app, revision: record.revision, description: { priority } }), (state) => detail(state, record));
    },
    getVetoes: async ({ params: { app, revision } }) => vetoes(facts.state(), recordOf(facts.state(), app, revision)),
    placeVeto: async ({ params: { app, revision }, body: { reason, environment }, caller, ifMatch }) => {
      const record = recordOf(facts.state(), app, revision);
      const problem = unmatched(ifMatch, vetoes(facts.state(), record).headers.etag);
      if (problem !== undefined) return { problem };
      const command = { kind: 'place-veto', app, revision: record.revision, reason, ...(environment === undefined ? {} : { environment }) } as const;
      return answered(await submit(caller.actor, command), (state) => vetoes(state, record));
    },
    removeVeto: async ({ params: { app, revision }, query: { reason, environment }, caller, ifMatch }) => {
      const record = recordOf(facts.state(), app, revision);
      const problem = unmatched(ifMatch, vetoes(facts.state(), record).headers.etag);
      if (problem !== undefined) return { problem };
      const command = { kind: 'remove-veto', app, revision: record.revision, reason, ...(environment === undefined ? {} : { environment }) } as const;
      return answered(await submit(caller.actor, command), () => ({ body: undefined }));
    },
  };
}

/** @throws {ControlError} NOT_FOUND, with what there is. */
function recordOf(state: State, app: string, text: string): RevisionRecord {
  const { revisions } = found(state.apps.get(app), 'application', app);
  const record = findRevision(state, app, text);
  if (record !== undefined) return record;
  const latest = revisions.at(-1);
  throw new ControlError('NOT_FOUND', latest === undefined ? `application '${app}' has no revisions yet; push one first: \`starling push DIRECTORY --app ${app}\`` : `application '${app}' has no revision '${text}'; the latest is ${app}@${latest.number}`);
}

function vetoesOf(state: State, { app, revision }: RevisionRecord) {
  return [...state.vetoes.values()].filter((veto) => veto.app === app && veto.revision === revision);
}

function detailView(state: State, record: RevisionRecord): RevisionDetail {
  const { changes = [], priority = 0, tests, compat = [], requires = [], closure = [], signedBy = [], expired = false } = descriptionOf(state, record) ?? {};
  return {
    ...revisionView(record),
    changes: changes.map((change) => ({ ...change })),
    priority,
    ...(tests === undefined ? {} : { tests: { ...tests } }),
    compat: [...compat],
    requires: requires.map((one) => ({ ...one })),
    closure: closure.map((one) => ({ ...one })),
    signedBy: [...signedBy],
    expired,
    vetoes: vetoesOf(state, record).map((veto) => vetoView(state, veto)),
    runsIn: [...runsIn(state, record)],
  };
}

function diffView(state: State, from: RevisionRecord, to: RevisionRecord): RevisionDiff {
  const [older, newer] = from.number <= to.number ? [from, to] : [to, from];
  const needs = (record: RevisionRecord) => new Map((descriptionOf(state, record)?.requires ?? []).map(({ node, version }) => [node, version]));
  return {
    app: to.app,
    from: revisionView(from),
    to: revisionView(to),
    changes: changesBetween(state, to.app, older.number, newer.number).map((change) => ({ ...change })),
    backwards: to.number < from.number,
    bytes: to.bytes - from.bytes,
    chunks: to.chunks - from.chunks,
    entries: to.entries - from.entries,
    requires: differing(needs(from), needs(to)).map(({ key, ...versions }) => ({ node: key, ...versions })),
    closure: differing(builtOf(state, from), builtOf(state, to)).map(({ key, ...versions }) => ({ name: key, ...versions })),
  };
}

/** Versions by name, with the digest where the same version is something else. */
function builtOf(state: State, record: RevisionRecord): ReadonlyMap<string, string> {
  const versions = new Map<string, string[]>();
  for (const { name, version, digest } of descriptionOf(state, record)?.closure ?? []) {
    const said = digest === undefined ? version : `${version} (${digest})`;
    const known = versions.get(name);
    if (known === undefined) versions.set(name, [said]);
    else known.push(said);
  }
  return new Map([...versions].map(([name, all]) => [name, all.toSorted().join(', ')]));
}

/** The keys with another value, or one on one side only, in order. */
function differing(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>) {
  const keys = [...new Set([...before.keys(), ...after.keys()])].toSorted().filter((key) => before.get(key) !== after.get(key));
  return keys.map((key) => {
    const [from, to] = [before.get(key), after.get(key)];
    return { key, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
  });
}
