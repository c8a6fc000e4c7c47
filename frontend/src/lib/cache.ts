/** Promises by key, the least recently used given up when they weigh too much together. */

interface Entry<V> {
  value: Promise<V>;
  weight: number;
}

export class Cache<V> {
  #entries = new Map<string, Entry<V>>();
  #weight = 0;

  constructor(
    private readonly most: number,
    private readonly weigh: (value: V) => number = () => 1,
  ) {}

  /** Return what lies under a key, made by `make` if there is nothing; failures are not kept. */
  get(key: string, make: () => Promise<V>): Promise<V> {
    const known = this.#entries.get(key);
    if (known) {
      this.#entries.delete(key);
      this.#entries.set(key, known);
      return known.value;
    }
    const entry: Entry<V> = { value: make(), weight: 0 };
    this.#entries.set(key, entry);
    entry.value.then(
      value => this.#weighed(key, entry, this.weigh(value)),
      () => this.#entries.delete(key),
    );
    return entry.value;
  }

  #weighed(key: string, entry: Entry<V>, weight: number): void {
    if (this.#entries.get(key) !== entry) return;
    entry.weight = weight;
    this.#weight += weight;
    for (const [oldest, { weight: freed }] of this.#entries) {
      if (this.#weight <= this.most || oldest === key) break;
      this.#entries.delete(oldest);
      this.#weight -= freed;
    }
  }
}
