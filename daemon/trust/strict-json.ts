// JSON from strangers, read so that everybody reads the same: no key twice, no depth without end, whole numbers only.
// JSON.parse alone takes the last of two equal keys, where another reader may take the first.

import { DaemonError } from '../errors.ts';

/** What {@link parseStrictJson} gives. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue };

/** Brackets within brackets. TUF metadata needs 7. */
export const depthMax = 32;

const colon = /\s*:/y;
const wholeNumber = /-?(?:0|[1-9]\d*)(?![\d.eE+-])/y;

/**
 * The value of a JSON text. `what` names it in messages.
 * @throws {DaemonError} METADATA_REFUSED when it is longer than `bytesMax`, is not JSON, is nested deeper than {@link depthMax}, names a
 * key twice or `__proto__`, holds a number that is not a safe integer, or text that is not well-formed Unicode.
 */
export function parseStrictJson(what: string, text: string, bytesMax: number): JsonValue {
  // Length in UTF-16 units never exceeds that in bytes: the cheap test first.
  const bytes = text.length > bytesMax ? text.length : Buffer.byteLength(text);
  if (bytes > bytesMax) throw refused(what, `has ${bytes} bytes, at most ${bytesMax} are allowed`);
  scan(what, text);
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw refused(what, 'is not JSON', cause);
  }
}

/** Looks at brackets, strings and numbers only; that the rest is JSON is for JSON.parse to say. */
function scan(what: string, text: string): void {
  const open: Set<string>[] = [];
  let index = 0;
  while (index < text.length) {
    const character = text.charAt(index);
    if (character === '{' || character === '[') {
      open.push(new Set());
      if (open.length > depthMax) throw refused(what, `is nested deeper than ${depthMax}`);
      index += 1;
    } else if (character === '}' || character === ']') {
      open.pop();
      index += 1;
    } else if (character === '"') {
      const end = endOfString(text, index);
      const name = stringAt(what, text, index, end);
      colon.lastIndex = end;
      if (colon.test(text)) addName(what, name, open.at(-1));
      index = end;
    } else if (character === '-' || (character >= '0' && character <= '9')) {
      index = endOfNumber(what, text, index);
    } else {
      index += 1;
    }
  }
}

function addName(what: string, name: string, names: Set<string> | undefined): void {
  if (name === '__proto__') throw refused(what, 'names a key __proto__');
  if (names?.has(name) === true) throw refused(what, `names the key ${JSON.stringify(name)} twice`);
  names?.add(name);
}

function endOfString(text: string, start: number): number {
  let index = start + 1;
  while (index < text.length && text.charAt(index) !== '"') index += text.charAt(index) === '\\' ? 2 : 1;
  return index + 1;
}

function stringAt(what: string, text: string, start: number, end: number): string {
  const raw = text.slice(start, end);
  let value = raw.slice(1, -1);
  if (raw.includes('\\')) {
    try {
      value = String(JSON.parse(raw));
    } catch (cause) {
      throw refused(what, 'is not JSON', cause);
    }
  }
  // A lone surrogate has no bytes of its own: two texts would have one signature.
  if (!value.isWellFormed()) throw refused(what, 'holds text that is not well-formed Unicode');
  return value;
}

function endOfNumber(what: string, text: string, start: number): number {
  wholeNumber.lastIndex = start;
  const [digits] = wholeNumber.exec(text) ?? [];
  if (digits === undefined || !Number.isSafeInteger(Number(digits)) || digits === '-0') throw refused(what, 'holds a number that is not a safe integer');
  return start + digits.length;
}

function refused(what: string, why: string, cause?: unknown): DaemonError {
  return new DaemonError('METADATA_REFUSED', `${what} ${why}`, cause === undefined ? {} : { cause });
}
