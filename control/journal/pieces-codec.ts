// A large value as a row of small pieces, each of which is written, and later read, by itself: to write down the state of ten thousand machines at once
// stops everything for most of a second. What is small stays whole; what is large is opened, however deep that is. The file they lie in is snapshot.ts.

import { isMap } from '../core/model/shared-map.ts';

/**
 * Steps of a rebuilding, flat: a kind and what it takes. Values that are one object in two places come back as two.
 * A piece has at least one step, and at most about {@link pieceValues} values.
 */
export type Piece = readonly unknown[];

/** Values in a piece: about a millisecond. */
const pieceValues = 2048;
/** Values of which something larger is opened, and its parts are written one by one. */
const partValues = 256;
/** Characters that count as one value. */
const valueChars = 256;

const [isPart, isOpened, isClosed] = [0, 1, 2] as const;

type Kind = 'map' | 'array' | 'object';
type Part = readonly [key: unknown, value: unknown];

/** The pieces of a value that is made of plain objects, arrays, maps, and whatever the structured clone takes. Lazy: it must not change until the last is taken. */
export function* piecesOf(value: object): Generator<Piece> {
  const open: Iterator<Part>[] = [[[undefined, value] as const].values()];
  let steps: unknown[] = [];
  let values = 0;
  for (let within = open.at(-1); within !== undefined; within = open.at(-1)) {
    const next = within.next();
    if (next.done === true) {
      open.pop();
      // The outermost was never opened.
      if (open.length > 0) steps.push(isClosed);
      continue;
    }
    const [key, part] = next.value;
    const weight = weightOf(part, partValues);
    const kind = weight > partValues ? kindOf(part) : undefined;
    if (kind === undefined) steps.push(isPart, key, part);
    else {
      steps.push(isOpened, key, kind);
      open.push(partsOf(part));
    }
    values += Math.min(weight, partValues);
    if (values < pieceValues) continue;
    yield steps;
    steps = [];
    values = 0;
  }
  if (steps.length > 0) yield steps;
}

/** How many values something holds; where they are more than `max`, anything above that. A map is always opened: how it is kept is not what it holds. */
function weightOf(value: unknown, max: number): number {
  if (typeof value === 'string') return 1 + Math.floor(value.length / valueChars);
  const kind = kindOf(value);
  if (kind === undefined) return 1;
  if (kind === 'map') return max + 1;
  const fields: readonly unknown[] = Object.values(Object(value));
  let weight = 1;
  for (const field of fields) {
    if (weight > max) break;
    weight += weightOf(field, max - weight);
  }
  return weight;
}

function kindOf(value: unknown): Kind | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if (Array.isArray(value)) return 'array';
  if (isMap(value)) return 'map';
  return Object.getPrototypeOf(value) === Object.prototype ? 'object' : undefined;
}

function partsOf(value: unknown): Iterator<Part> {
  if (isMap(value)) return value.entries();
  return Object.entries(Object(value)).values();
}

interface Opened {
  readonly key: unknown;
  readonly kind: Kind;
  readonly parts: Part[];
}

/**
 * Makes the value again of its pieces, in their order. That it is a `Value` is the caller's word: it knows who made them.
 * @throws {RangeError} when they are not all, or other ones.
 */
export function rebuilt<Value>(pieces: Iterable<Piece>): Value {
  const whole: Opened = { key: undefined, kind: 'array', parts: [] };
  const open: Opened[] = [whole];
  let within: Opened | undefined = whole;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at += 1) {
      const step = piece[at];
      if (within === undefined) throw new RangeError('something comes after the end');
      if (step === isClosed) {
        open.pop();
        open.at(-1)?.parts.push([within.key, built(within)]);
        within = open.at(-1);
        continue;
      }
      const [key, part] = [piece[at + 1], piece[at + 2]];
      at += 2;
      if (step === isPart) within.parts.push([key, part]);
      else {
        within = { key, kind: kindNamed(part), parts: [] };
        open.push(within);
      }
    }
  }
  if (within !== whole || whole.parts.length !== 1) throw new RangeError('the end is missing');
  return whole.parts[0]?.[1] as Value;
}

function kindNamed(text: unknown): Kind {
  if (text === 'map' || text === 'array' || text === 'object') return text;
  throw new RangeError(`'${String(text)}' is no kind of value`);
}

function built({ kind, parts }: Opened): unknown {
  if (kind === 'map') return new Map(parts);
  if (kind === 'array') return parts.map(([, part]) => part);
  // Not by assignment, which takes the key `__proto__` for something else.
  return Object.fromEntries(parts);
}
