/** Favourites and collections: named sets of sounds, kept by the server beside the corpus. */

import { ApiError, api, type Collection } from './lib/api';
import { Store } from './lib/store';

/** The set that the star belongs to. */
export const FAVOURITES = 'Favourites';

interface Known {
  sets: readonly Collection[];
}

export class Sets extends Store<Known> {
  /** Called with what is to be told. */
  onTold: (message: string) => void = () => undefined;

  constructor() {
    super({ sets: [] });
  }

  async load(): Promise<void> {
    try {
      this.set({ sets: (await api.collections()).collections });
    } catch {
      // without collections the page still searches
    }
  }

  ids(name: string): readonly string[] {
    return this.value.sets.find(one => one.name === name)?.ids ?? [];
  }

  isFavourite(id: string): boolean {
    return this.ids(FAVOURITES).includes(id);
  }

  async toggleFavourite(id: string): Promise<void> {
    const ids = this.ids(FAVOURITES);
    const without = ids.filter(one => one !== id);
    await this.save(FAVOURITES, without.length < ids.length ? without : [...ids, id]);
  }

  /** Add sounds to a set, made if there is none of that name. */
  async add(name: string, ids: readonly string[]): Promise<boolean> {
    return this.save(name, [...new Set([...this.ids(name), ...ids])]);
  }

  /** Make or replace a set; the page shows it at once, and takes it back if it cannot be kept. */
  async save(name: string, ids: readonly string[]): Promise<boolean> {
    const before = this.value.sets;
    const changed = { name, ids: [...ids] };
    const others = before.filter(one => one.name !== name);
    this.set({ sets: [...others, changed] });
    return this.#keep(before, () => api.saveCollection(changed));
  }

  async remove(name: string): Promise<boolean> {
    const before = this.value.sets;
    this.set({ sets: before.filter(one => one.name !== name) });
    return this.#keep(before, () => api.deleteCollection(name));
  }

  async #keep(before: readonly Collection[], write: () => Promise<unknown>): Promise<boolean> {
    try {
      await write();
      return true;
    } catch (error) {
      this.set({ sets: before });
      const why = error instanceof ApiError ? error.message : String(error);
      this.onTold(`The collection was not kept. ${why}`);
      return false;
    }
  }
}
