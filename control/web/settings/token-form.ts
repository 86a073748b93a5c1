// What was filled in to make a token, as the API takes it, or what cannot be read of it. Pure; whether it is allowed is the API's to say.

import type { CreateToken } from '../../../proto/api/tokens.ts';

type Filled = Readonly<Record<string, string>>;
/** A request, or a sentence about what was written wrongly. */
export type Read = { readonly kind: 'token'; readonly body: CreateToken } | { readonly kind: 'wrong'; readonly why: string };

const hourMs = 3_600_000;

export function apiTokenOf({ name = '', scopes = '', groups = '', days = '' }: Filled): Read {
  const count = numberOf(days);
  if (count === 'wrong') return wrongNumber(days, 'days');
  return { kind: 'token', body: { use: 'api', name: name.trim(), scopes: wordsOf(scopes), ...(wordsOf(groups).length === 0 ? {} : { groups: wordsOf(groups) }), ...(count === undefined ? {} : { ttlMs: count * 24 * hourMs }) } };
}

/** Of agents: seeds and proxies are joined where they are set up, by the command line. */
export function joinTokenOf({ name = '', environments = '', labels = '', uses = '', hours = '' }: Filled): Read {
  const [count, lasts] = [numberOf(uses), numberOf(hours)];
  if (count === 'wrong') return wrongNumber(uses, 'machines');
  if (lasts === 'wrong') return wrongNumber(hours, 'hours');
  const pairs = wordsOf(labels).map((word) => ({ word, at: word.indexOf('=') }));
  const unread = pairs.find(({ at }) => at < 1);
  if (unread !== undefined) return { kind: 'wrong', why: `'${unread.word}' is not a label: write key=value, several separated by commas` };
  return {
    kind: 'token',
    body: {
      use: 'join',
      name: name.trim(),
      roles: ['agent'],
      ...(wordsOf(environments).length === 0 ? {} : { environments: wordsOf(environments) }),
      ...(pairs.length === 0 ? {} : { labels: Object.fromEntries(pairs.map(({ word, at }) => [word.slice(0, at).trim(), word.slice(at + 1).trim()])) }),
      ...(count === undefined ? {} : { usesMax: count }),
      ...(lasts === undefined ? {} : { ttlMs: lasts * hourMs }),
    },
  };
}

function wordsOf(text: string): string[] {
  return text.split(',').map((word) => word.trim()).filter((word) => word !== '');
}

function numberOf(text: string): number | 'wrong' | undefined {
  const trimmed = text.trim();
  if (trimmed === '') return undefined;
  return /^[1-9][0-9]{0,5}$/.test(trimmed) ? Number(trimmed) : 'wrong';
}

function wrongNumber(text: string, what: string): Read {
  return { kind: 'wrong', why: `'${text.trim()}' is not a number of ${what}: write a whole one, such as 7` };
}
