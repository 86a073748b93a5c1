// A map that is changed a little, often, and never in place: its values lie in small pieces, and one made of another shares with it
// all pieces but those with a change. So a fact about one of ten thousand machines does not copy
// ten thousand entries, and who looks one up looks in one place.

/** Below this a plain copy costs less. */
const plainSizeMax = 512;
/** Values in a piece, a power of two. A change copies its piece and the list of pieces: of ten thousand, 32 and 313; where 64 change together, seven times that. */
const pieceBits = 5;
const pieceSize = 1 << pieceBits;
const withinPiece = pieceSize - 1;

/** What became of entries: `undefined` is one that was taken out. */
export type Changes<V> = ReadonlyMap<string, V | undefined>;

/**
 * `base` with `changes`. Entries stay where they were, new ones come behind. One that was taken out and put back may come where it
 * was or behind: no order may be built on that.
 */
export function withChanges<V>(base: ReadonlyMap<string, V>, changes: Changes<V>): ReadonlyMap<string, V> {
  if (changes.size === 0) return base;
  if (!(base instanceof SharedMap) && base.size + changes.size < plainSizeMax) return plainly(base, changes);
  const copy: SharedMap<V> = SharedMap.of(base);
  changes.forEach((value, key) => {
    if (value === undefined) copy.delete(key);
    else copy.set(key, value);
  });
  return copy.isSparse() ? new Map(copy) : copy;
}

function plainly<V>(base: ReadonlyMap<string, V>, changes: Changes<V>): ReadonlyMap<string, V> {
  const copy = new Map(base);
  changes.forEach((value, key) => {
    if (value === undefined) copy.delete(key);
    else copy.set(key, value);
  });
  return copy;
}

/** The values of a map in its order: of a large one in a fraction of the time that its iterator takes. */
export function valuesOf<V>(map: ReadonlyMap<string, V>): readonly V[] {
  const values: V[] = [];
  map.forEach((value) => values.push(value));
  return values;
}

/** A map to which entries may be put, in place. */
export interface EditableMap<V> extends ReadonlyMap<string, V> {
  set(key: string, value: V): unknown;
  delete(key: string): unknown;
}

/** A copy of `base` to be changed in place, which shares with it what is not changed. Its owner may put entries until somebody else has it. */
export function editable<V>(base: ReadonlyMap<string, V>): EditableMap<V> {
  return !(base instanceof SharedMap) && base.size < plainSizeMax ? new Map(base) : SharedMap.of(base);
}

/** Which key's value lies where. Maps made one of another share it: it is only added to, and each looks no further than it is long itself. */
interface Places {
  readonly of: Map<string, number>;
  readonly keys: string[];
}

class SharedMap<V> implements EditableMap<V> {
  size: number;
  #places: Places;
  /** Values by place, `undefined` where one was taken out. */
  readonly #pieces: (V | undefined)[][];
  /** Whether a piece is this map's alone, and may be changed in place. */
  readonly #own: boolean[];
  /** Places that this map looks at. */
  #length: number;

  private constructor(places: Places, pieces: (V | undefined)[][], length: number, size: number) {
    this.#places = places;
    this.#pieces = pieces;
    this.#own = pieces.map(() => false);
    this.#length = length;
    this.size = size;
  }

  /** A copy to be changed. */
  static of<V>(base: ReadonlyMap<string, V>): SharedMap<V> {
    if (base instanceof SharedMap) return new SharedMap<V>(base.#places, [...base.#pieces], base.#length, base.size);
    const copy = new SharedMap<V>({ of: new Map(), keys: [] }, [], 0, 0);
    base.forEach((value, key) => copy.set(key, value));
    return copy;
  }

  /** Whether so much was taken out that it is worth a new one. */
  isSparse(): boolean {
    return this.size < this.#length / 2;
  }

  get(key: string): V | undefined {
    const place = this.#places.of.get(key);
    return place === undefined || place >= this.#length ? undefined : this.#pieces[place >>> pieceBits]?.[place & withinPiece];
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  set(key: string, value: V): void {
    const known = this.#places.of.get(key);
    const place = known === undefined || known >= this.#length ? this.#append(key) : known;
    const piece = this.#owned(place >>> pieceBits);
    if (piece[place & withinPiece] === undefined) this.size += 1;
    piece[place & withinPiece] = value;
  }

  delete(key: string): void {
    const place = this.#places.of.get(key);
    if (place === undefined || this.get(key) === undefined) return;
    this.#owned(place >>> pieceBits)[place & withinPiece] = undefined;
    this.size -= 1;
  }

  *entries(): MapIterator<[string, V]> {
    for (let place = 0; place < this.#length; place += 1) {
      const key = this.#places.keys[place];
      const value = this.#pieces[place >>> pieceBits]?.[place & withinPiece];
      if (key !== undefined && value !== undefined) yield [key, value];
    }
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  /** Without a generator, which costs more than looking. */
  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (let from = 0; from < this.#length; from += pieceSize) {
      const to = Math.min(this.#length, from + pieceSize);
      for (let place = from; place < to; place += 1) {
        // Looked up each time: whoever goes through the map may put entries meanwhile.
        const value = this.#pieces[from >>> pieceBits]?.[place - from];
        const key = this.#places.keys[place];
        if (key !== undefined && value !== undefined) callback(value, key, this);
      }
    }
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  /** The place of a new key. Where another map of the same origin was first, the places are shared no longer. */
  #append(key: string): number {
    const place = this.#length;
    if (this.#places.keys.length > place) {
      const keys = this.#places.keys.slice(0, place);
      this.#places = { of: new Map(keys.map((known, at) => [known, at])), keys };
    }
    this.#places.of.set(key, place);
    this.#places.keys.push(key);
    this.#length += 1;
    return place;
  }

  #owned(index: number): (V | undefined)[] {
    const piece = this.#pieces[index];
    if (piece !== undefined && this.#own[index] === true) return piece;
    const own = piece === undefined ? [] : [...piece];
    this.#pieces[index] = own;
    this.#own[index] = true;
    return own;
  }
}

/** Whether a value is a map, however it is kept. */
export function isMap(value: unknown): value is ReadonlyMap<unknown, unknown> {
  return value instanceof Map || value instanceof SharedMap;
}
