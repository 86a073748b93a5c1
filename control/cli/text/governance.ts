// How restraints, sets and people who can act are written for people, and how scopes are read from them.

import type { Promotion } from '../../../proto/api/promotions.ts';
import type { Reach } from '../../../proto/api/restraints.ts';
import { scopeKinds } from '../../../proto/api/restraints.ts';
import { ControlError } from '../../errors.ts';

/** `web@41 + api@7`. */
export function setText(members: readonly { readonly app: string; readonly number: number }[]): string {
  return members.map(({ app, number }) => `${app}@${number}`).join(' + ');
}

/** What a promotion brings: `web@41`, or the whole set where it brings several applications. */
export function broughtText({ app, number, members }: Pick<Promotion, 'app' | 'number' | 'members'>): string {
  return members === undefined ? `${app}@${number}` : setText(members);
}

/** `web@41,api@7`, `web=41,api=7` or joined by `+`, as the API wants it. @throws {ControlError} CONFIG_INVALID. */
export function parseSet(text: string, flag: string): string {
  const members = text.split(/[+,]/).map((part) => /^([a-z0-9][a-z0-9-]*)[=@](\S+)$/.exec(part.trim()));
  return members
    .map((member) => {
      if (member === null) throw new ControlError('CONFIG_INVALID', `${flag}: '${text}' is not a set of revisions, such as web@41,api@7`);
      return `${member[1]}@${member[2]}`;
    })
    .join('+');
}

/** `everything`, `project shop`, `stage shop/prod`. */
export function reachText({ kind, id }: Reach): string {
  return kind === 'all' ? 'everything' : `${kind} ${id ?? ''}`;
}

/** `all`, `project:shop`, `stage:shop/prod`; a plain word is an environment. @throws {ControlError} CONFIG_INVALID. */
export function parseReach(text: string): Reach {
  if (text === 'all') return { kind: 'all' };
  const at = text.indexOf(':');
  if (at < 0) return { kind: 'environment', id: text };
  const kind = scopeKinds.find((one) => one === text.slice(0, at) && one !== 'all');
  const id = text.slice(at + 1);
  if (kind === undefined || id === '') throw new ControlError('CONFIG_INVALID', `--scope: '${text}' is not a scope; scopes are an environment's name, stage:PIPELINE/STAGE, pipeline:NAME, project:NAME, or all`);
  return { kind, id };
}

/** `2 of group qa and 1 of group product`. */
export function rulesText(rules: readonly { readonly group: string; readonly count: number }[]): string {
  return rules.map(({ group, count }) => `${count} of ${group === '*' ? 'anybody' : `group ${group}`}`).join(' and ');
}

/** Who can act, from a blocker's actors: people, groups, or whoever may do something. */
export function actorsText(actors: readonly string[]): string {
  return actors.map(actorText).join(', or ');
}

function actorText(actor: string): string {
  if (actor.startsWith('group:')) return `group ${actor.slice('group:'.length)}`;
  if (actor.startsWith('run:')) return `workflow run ${actor.slice('run:'.length)}, by ending`;
  if (actor === 'admin:*' || actor.startsWith('admin:')) return actor === 'admin:*' ? 'an administrator' : `an administrator (${actor})`;
  const [, verb, environment] = /^(promote|approve):env\/(.+)$/.exec(actor) ?? [];
  return verb === undefined ? actor : `whoever may ${verb} ${verb === 'approve' ? 'for' : 'to'} ${environment}`;
}

/** The pipeline and the edge of `shop/alpha-prod`. @throws {ControlError} CONFIG_INVALID. */
export function parseEdge(text: string): { readonly pipeline: string; readonly edge: string } {
  const [pipeline = '', edge = '', ...more] = text.split('/');
  if (pipeline === '' || edge === '' || more.length > 0) throw new ControlError('CONFIG_INVALID', `'${text}' is not a promotion configuration, such as shop/alpha-prod`);
  return { pipeline, edge };
}

/** The application and the revision of `web@41`. @throws {ControlError} CONFIG_INVALID. */
export function parseRevision(text: string): { readonly app: string; readonly revision: string } {
  const at = text.indexOf('@');
  if (at <= 0 || at === text.length - 1) throw new ControlError('CONFIG_INVALID', `'${text}' is not a revision of an application, such as web@41 or web@latest`);
  return { app: text.slice(0, at), revision: text.slice(at + 1) };
}
