// A map that is changed a little, often, and never in place: small changes lie over a large map that is shared, until they are many
// enough to be worth a new one. So a fact about one of ten thousand machines does not copy ten thousand entries.

/** Below this a plain copy costs less than looking in two places. */
const plainSizeMax = 512;
/** Changes that lie over a map. Each fact copies them, and each that many facts copy the map: 256 balances both at ten thousand entries. */
const changesMax = 256;

/** What became of entries: `undefined` is one that was taken out. */
export type Changes<V> = ReadonlyMap<string, V | undefined>;

/**
 * `base` with `changes`. Entries stay where they were, new ones come behind. One that was taken out and put back may come where it
 * was or behind: no order may be built on that.
 */
export function overlaid<V>(base: ReadonlyMap<string, V>, changes: Changes<V>): ReadonlyMap<string, V> {
  if (changes.size === 0) return base;
  const flat = base instanceof OverlayMap ? base.flat : base;
  const all = new Map<string, V | undefined>(base instanceof OverlayMap ? base.changes : changes);
  if (base instanceof OverlayMap) changes.forEach((value, key) => all.set(key, value));
  if (flat.size >= plainSizeMax && all.size <= changesMax) return new OverlayMap<V>(flat, all);
  return merged(flat, all);
}

function merged<V>(flat: ReadonlyMap<string, V>, changes: Changes<V>): ReadonlyMap<string, V> {
  const copy = new Map(flat);
  for (const [key, value] of changes) {
    if (value === undefined) copy.delete(key);
    else copy.set(key, value);
  }
  return copy;
}

/** The values of a map in its order: of a large one in half the time that its iterator takes. */
export function valuesOf<V>(map: ReadonlyMap<string, V>): readonly V[] {
  const values: V[] = [];
  map.forEach((value) => values.push(value));
  return values;
}

/** A map to which entries may be put, in place. */
export interface EditableMap<V> extends ReadonlyMap<string, V> {
  set(key: string, value: V): unknown;
}

/** A copy of `base` to be changed in place, which shares with it what is not changed. Its owner may put entries until somebody else has it. */
export function editable<V>(base: ReadonlyMap<string, V>): EditableMap<V> {
  if (base instanceof OverlayMap) return new OverlayMap<V>(base.flat, new Map(base.changes));
  return base.size < plainSizeMax ? new Map(base) : new OverlayMap<V>(base, new Map());
}

class OverlayMap<V> implements EditableMap<V> {
  flat: ReadonlyMap<string, V>;
  changes: Map<string, V | undefined>;
  size: number;
  /** Whether nothing that `flat` holds was taken out. Nothing is, in place: entries are only put. */
  readonly #areAllThere: boolean;

  constructor(flat: ReadonlyMap<string, V>, changes: Map<string, V | undefined>) {
    this.flat = flat;
    this.changes = changes;
    let size = flat.size;
    let areAllThere = true;
    for (const [key, value] of changes) {
      size += Number(value !== undefined) - Number(flat.has(key));
      areAllThere &&= value !== undefined;
    }
    this.size = size;
    this.#areAllThere = areAllThere;
  }

  set(key: string, value: V): void {
    if (!this.has(key)) this.size += 1;
    this.changes.set(key, value);
    if (this.changes.size <= changesMax) return;
    this.flat = merged(this.flat, this.changes);
    this.changes = new Map();
  }

  get(key: string): V | undefined {
    return this.changes.has(key) ? this.changes.get(key) : this.flat.get(key);
  }

  has(key: string): boolean {
    return this.changes.has(key) ? this.changes.get(key) !== undefined : this.flat.has(key);
  }

  *entries(): MapIterator<[string, V]> {
    const { flat, changes } = this;
    for (const [key, kept] of flat) {
      const value = this.#newest(flat, key, kept);
      if (value !== undefined) yield [key, value];
    }
    for (const [key, value] of changes) if (value !== undefined && !flat.has(key)) yield [key, value];
  }

  *keys(): MapIterator<string> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<V> {
    const { flat, changes } = this;
    for (const [key, kept] of flat) {
      const value = this.#newest(flat, key, kept);
      if (value !== undefined) yield value;
    }
    for (const [key, value] of changes) if (value !== undefined && !flat.has(key)) yield value;
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    const { flat, changes } = this;
    // Without a generator, which costs more than looking.
    flat.forEach((kept, key) => {
      const value = this.#newest(flat, key, kept);
      if (value !== undefined) callback(value, key, this);
    });
    for (const [key, value] of changes) if (value !== undefined && !flat.has(key)) callback(value, key, this);
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  /** An entry as it is now, which was `kept` when `flat` was made: whoever goes through the map may put entries meanwhile. */
  #newest(flat: ReadonlyMap<string, V>, key: string, kept: V): V | undefined {
    if (this.flat !== flat) return this.get(key);
    const changed = this.changes.get(key);
    // Most have not changed: whether this one was taken out is a question only where something is known to be missing.
    if (changed !== undefined || this.#areAllThere) return changed ?? kept;
    return this.changes.has(key) ? undefined : kept;
  }
}
