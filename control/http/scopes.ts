// What a token allows. A scope is `verb:resource`: `promote:env/prod`, `upload:app/web`, `read:*`; `admin:*` allows everything.

import type { Verb } from '../../proto/api/operation.ts';

/** What a request is about: one application or environment, or nothing narrower than everything. */
export type Resource = '*' | `app/${string}` | `env/${string}`;

/** Whether one of `scopes` allows `verb` on `resource`. A scope for one resource never allows what is about all. */
export function allows(scopes: readonly string[], verb: Verb, resource: Resource): boolean {
  return scopes.some((scope) => scope === 'admin:*' || scope === `${verb}:*` || (resource !== '*' && scope === `${verb}:${resource}`));
}
