// Who somebody is. A person is the name of the token that was shown: two tokens of one name are one person, and a token that
// several people share is one person too. Authors of changes are named by version control, and are matched with that.

import type { SetMembers } from '../../../proto/pipeline.ts';
import { revisionKey } from './pipeline.ts';
import type { State } from './model.ts';

/** The person behind an actor of the journal: the name of the token; `system`, members and unknown tokens stay what they are. */
export function personOf(state: Pick<State, 'tokens'>, actor: string): string {
  if (!actor.startsWith('token:')) return actor;
  return state.tokens.get(actor.slice('token:'.length))?.name ?? actor;
}

/** Who wrote the changes in a set, as far as they were described by now. */
export function authorsOf({ state, members }: { readonly state: Pick<State, 'descriptions'>; readonly members: SetMembers }): readonly string[] {
  const authors = Object.entries(members).flatMap(([app, digest]) => (state.descriptions.get(revisionKey(app, digest))?.changes ?? []).map((change) => change.author));
  return [...new Set(authors)].toSorted();
}

/**
 * Whether an author, such as `Quinn Doe <quinn@example.org>`, is this person: by the whole text, the name, the address or the part
 * before its `@`, whatever their letters' case and with hyphens for what a name cannot hold. In doubt it is the same person.
 */
export function isPerson(author: string, person: string): boolean {
  const [, name = author, address = ''] = /^([^<]*)<([^>]*)>/.exec(author) ?? [];
  const wanted = slug(person);
  return [author, name, address, address.split('@')[0] ?? '', author.split('@')[0] ?? ''].some((text) => slug(text) === wanted);
}

/** Whether somebody is among people or authors. */
export function isAmong(people: readonly string[], person: string): boolean {
  return people.some((one) => isPerson(one, person));
}

function slug(text: string): string {
  const words = text.toLowerCase().match(/[\p{L}\p{N}]+/gu) ?? [];
  // A text without a letter is nobody's name but its own.
  return words.length === 0 ? text : words.join('-');
}
