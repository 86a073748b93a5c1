// Small schemas that the kinds of files share. Each leaf's description is the "expected …" of an error message and what an
// editor shows: it completes the sentence "expected …". What the values mean is units.ts.

import Type, { type Static, type TSchema } from 'typebox';
import { durationPattern } from './units.ts';

/** No mapping of a file has keys that its schema does not name. */
export const strict = { additionalProperties: false } as const;
/** Items of one list in a file: more is a mistake, or made by a program that should use several files. */
const itemsMax = 200;

export const NameText = Type.String({ pattern: '^[a-z0-9]([a-z0-9-]{0,62}[a-z0-9])?$', description: 'a name: lower-case letters, digits and inner hyphens, at most 64' });
export const DurationText = Type.String({ pattern: `^${durationPattern}$`, description: 'a duration such as 30s, 10m, 2h or 7d' });
export const DurationOrNever = Type.String({ pattern: `^(${durationPattern}|never)$`, description: "a duration such as 30s, 10m, 2h or 7d, or 'never'" });
export const ClockText = Type.String({ pattern: '^[0-9]{2}:[0-9]{2}$', description: 'a time in quotes, such as "09:00"' });
export const LocalText = Type.String({ pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2})?$', description: 'a local time in quotes, such as "2026-12-18T00:00"' });
export const UrlText = Type.String({ pattern: '^https?://[^\\s?#]+$', maxLength: 2048, description: 'a URL such as "http://prom:9090"' });
export const Flag = Type.Boolean({ description: 'true or false' });
/** `3`, or `"25%"`. */
export const ShareText = Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: '^(100|[1-9]?[0-9])(\\.[0-9]+)?%$' })], { description: 'a number of targets such as 3, or a share in quotes such as "25%"' });
/** `"5%"` or `5`: of all targets. */
export const PercentText = Type.Union([Type.Number({ minimum: 0, maximum: 100 }), Type.String({ pattern: '^(100|[1-9]?[0-9])(\\.[0-9]+)?%$' })], { description: 'a percentage such as "2%"' });

/** Free text of one line or more. */
export function text(description: string, maxLength = 1024) {
  return Type.String({ minLength: 1, maxLength, description });
}

/** A whole number. */
export function whole(minimum: number, maximum: number, description = `a whole number from ${minimum}${maximum === Number.MAX_SAFE_INTEGER ? '' : ` to ${maximum}`}`) {
  return Type.Integer({ minimum, maximum, description });
}

/** One of a few words. */
export function word<const Words extends readonly string[]>(...words: Words) {
  return Type.Unsafe<Words[number]>(Type.String({ enum: [...words], description: words.length === 1 ? `'${words[0]}'` : `one of ${words.join(', ')}` }));
}

/** A list; `what` is its items in the plural. */
export function list<Item extends TSchema>(item: Item, what: string) {
  return Type.Array(item, { maxItems: itemsMax, description: `a list of ${what}` });
}

/** A mapping whose keys are all named. */
export function mapping<Fields extends Parameters<typeof Type.Object>[0]>(fields: Fields, what: string) {
  return Type.Object(fields, { ...strict, description: what });
}

/** So many people of a group. */
export const RuleSchema = mapping({ group: text("a group of people, or '*' for anybody", 64), count: whole(1, 100) }, '{group: NAME, count: N}');

/** What people must say. */
export const approvalFields = {
  rules: Type.Optional(list(RuleSchema, 'rules {group: NAME, count: N}')),
  preventSelfApproval: Type.Optional(Flag),
  expiresAfter: Type.Optional(DurationOrNever),
};
export const ApprovalSchema = mapping(approvalFields, '{rules: [{group: NAME, count: N}]}');
export type ApprovalText = Static<typeof ApprovalSchema>;
