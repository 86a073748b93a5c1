// Label selectors of lists, as they are written in a query: `tier=web,zone in (a,b),!old`. One pass over the text, whatever is in it.
// Which labels select the targets of an environment is configuration, and not this.

import type { Labels } from '../../proto/events.ts';
import { ControlError } from '../errors.ts';

/** Whether labels have what a selector demands. */
export type Selects = (labels: Labels) => boolean;

const key = '[a-z0-9./-]{1,64}';
const patterns = {
  set: new RegExp(`^(${key}) +(in|notin) +\\(([^()]*)\\)$`),
  value: new RegExp(`^(${key}) *(=|==|!=) *([^=!()]{0,64})$`),
  exists: new RegExp(`^(!?)(${key})$`),
};

/**
 * The predicate of a selector: `key=value`, `key!=value`, `key in (a,b)`, `key notin (a,b)`, `key`, `!key`; all of them must hold.
 * What has no such label is not equal to anything, and in no list. @throws {ControlError} INVALID_REQUEST.
 */
export function parseSelector(text: string): Selects {
  const terms = split(text).map(termOf);
  return (labels) => terms.every((term) => term(labels));
}

function termOf(text: string): Selects {
  const among = patterns.set.exec(text);
  if (among !== null) {
    const [, name = '', how, list = ''] = among;
    const values = new Set(list.split(',').map((one) => one.trim()));
    return (labels) => values.has(labels[name] ?? '\0') === (how === 'in');
  }
  const equal = patterns.value.exec(text);
  if (equal !== null) {
    const [, name = '', how, value = ''] = equal;
    return (labels) => (labels[name] === value) === (how !== '!=');
  }
  const exists = patterns.exists.exec(text);
  if (exists === null) throw new ControlError('INVALID_REQUEST', `label '${text.slice(0, 80)}' is not key=value, key!=value, key in (a,b), key notin (a,b), key or !key; write several as a=1,b=2`);
  const [, not, name = ''] = exists;
  return (labels) => Object.hasOwn(labels, name) === (not === '');
}

/** At commas that are not in parentheses. */
function split(text: string): readonly string[] {
  const parts: string[] = [];
  let [depth, from] = [0, 0];
  for (let at = 0; at <= text.length; at += 1) {
    const letter = text[at];
    if (letter === '(') depth += 1;
    else if (letter === ')') depth -= 1;
    else if (letter === undefined || (letter === ',' && depth === 0)) {
      parts.push(text.slice(from, at).trim());
      from = at + 1;
    }
  }
  return parts;
}
