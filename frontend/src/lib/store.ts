/** A value that tells when it changes. */

export class Store<T extends object> {
  #value: T;
  #listeners = new Set<(value: T, changed: ReadonlySet<keyof T>) => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get value(): Readonly<T> {
    return this.#value;
  }

  /** Change some of it; listeners hear what is another than before. */
  set(change: Partial<T>): void {
    const keys = (Object.keys(change) as (keyof T)[]).filter(
      key => !Object.is(this.#value[key], change[key]),
    );
    if (!keys.length) return;
    this.#value = { ...this.#value, ...change };
    const changed = new Set(keys);
    for (const listener of this.#listeners) listener(this.#value, changed);
  }

  /** Call a function now, and whenever one of these is another than before. */
  on(keys: readonly (keyof T)[], listener: (value: Readonly<T>) => void): void {
    this.#listeners.add((value, changed) => {
      if (keys.some(key => changed.has(key))) listener(value);
    });
    listener(this.#value);
  }
}
