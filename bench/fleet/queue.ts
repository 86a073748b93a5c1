// What is to happen in a simulated fleet, in the order of its time; what happens at one moment keeps the order in which it was planned, so that a run is the
// same each time. A binary heap over flat arrays: ten thousand agents plan tens of millions of events.

/** Events with three small numbers and a value each; the fields hold the last one that was taken. */
export class EventQueue<Value> {
  at = 0;
  kind = 0;
  who = 0;
  what = 0;
  value: Value | undefined;

  #size = 0;
  #order = 0;
  #capacity = 1024;
  /** Slots in heap order. */
  #heap = new Int32Array(this.#capacity);
  #times = new Float64Array(this.#capacity);
  #orders = new Float64Array(this.#capacity);
  #kinds = new Uint8Array(this.#capacity);
  #whos = new Int32Array(this.#capacity);
  #whats = new Int32Array(this.#capacity);
  readonly #values: (Value | undefined)[] = [];
  readonly #free: number[] = [];

  get size(): number {
    return this.#size;
  }

  /** When the next one is; never when there is none. */
  get nextAt(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : (this.#times[this.#heap[0] ?? 0] ?? 0);
  }

  /** `at` is in milliseconds. */
  push(at: number, kind: number, who: number, what = 0, value?: Value): void {
    if (this.#size === this.#capacity) this.#grow();
    const slot = this.#free.pop() ?? this.#size;
    this.#order += 1;
    this.#times[slot] = at;
    this.#orders[slot] = this.#order;
    this.#kinds[slot] = kind;
    this.#whos[slot] = who;
    this.#whats[slot] = what;
    this.#values[slot] = value;
    this.#rise(this.#size, slot);
    this.#size += 1;
  }

  /** Takes the next event into the fields. Whether there was one. */
  pop(): boolean {
    if (this.#size === 0) return false;
    const slot = this.#heap[0] ?? 0;
    this.at = this.#times[slot] ?? 0;
    this.kind = this.#kinds[slot] ?? 0;
    this.who = this.#whos[slot] ?? 0;
    this.what = this.#whats[slot] ?? 0;
    this.value = this.#values[slot];
    this.#values[slot] = undefined;
    this.#free.push(slot);
    this.#size -= 1;
    if (this.#size > 0) this.#sink(this.#heap[this.#size] ?? 0);
    return true;
  }

  #isBefore(a: number, b: number): boolean {
    const timeA = this.#times[a] ?? 0;
    const timeB = this.#times[b] ?? 0;
    return timeA < timeB || (timeA === timeB && (this.#orders[a] ?? 0) < (this.#orders[b] ?? 0));
  }

  #rise(from: number, slot: number): void {
    let child = from;
    while (child > 0) {
      const parent = (child - 1) >> 1;
      const above = this.#heap[parent] ?? 0;
      if (!this.#isBefore(slot, above)) break;
      this.#heap[child] = above;
      child = parent;
    }
    this.#heap[child] = slot;
  }

  #sink(slot: number): void {
    let parent = 0;
    for (let child = 1; child < this.#size; child = 2 * parent + 1) {
      if (child + 1 < this.#size && this.#isBefore(this.#heap[child + 1] ?? 0, this.#heap[child] ?? 0)) child += 1;
      const below = this.#heap[child] ?? 0;
      if (!this.#isBefore(below, slot)) break;
      this.#heap[parent] = below;
      parent = child;
    }
    this.#heap[parent] = slot;
  }

  #grow(): void {
    this.#capacity *= 2;
    this.#heap = grown(this.#heap, new Int32Array(this.#capacity));
    this.#times = grown(this.#times, new Float64Array(this.#capacity));
    this.#orders = grown(this.#orders, new Float64Array(this.#capacity));
    this.#kinds = grown(this.#kinds, new Uint8Array(this.#capacity));
    this.#whos = grown(this.#whos, new Int32Array(this.#capacity));
    this.#whats = grown(this.#whats, new Int32Array(this.#capacity));
  }
}

function grown<Numbers extends Int32Array | Float64Array | Uint8Array>(from: Numbers, to: Numbers): Numbers {
  to.set(from);
  return to;
}
