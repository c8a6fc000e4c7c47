/** What the page knows, and what can be done with it. Views listen to the state and call the deeds. */

import { type Entry, ofHit, ofSound, placeOf } from './entry';
import {
  type Address,
  type Like,
  nothing,
  type Place,
  readAddress,
  type Span,
  samePlace,
  writeAddress,
} from './lib/address';
import { type Answer, ApiError, api, type Info, type Sound, type Unit } from './lib/api';
import { type Filters, noFilters, readFilters } from './lib/filters';
import { tooLarge } from './lib/format';
import { Store } from './lib/store';

/** How many results are asked for of a corpus. */
const RESULTS = 200;
/** How often a corpus that is being filled is asked about [ms]. */
const POLL = 2000;

/** Filters that pass through many values on their way to one. */
const MOVING: ReadonlySet<string | undefined> = new Set(['text', 'seconds']);

/** Something that was not done, and why. */
export interface Refusal {
  title: string;
  text: string;
}

export interface State {
  info: Info | null;
  address: Address;
  /** The sound that is searched with, where it is one. */
  sound: Sound | null;
  /** The code that distances are from. */
  code: string | null;
  /** What stands in the list: results, or a set. */
  entries: readonly Entry[];
  /** The name of the set in the list; null for results. */
  set: string | null;
  selected: number;
  filters: Filters;
  /** What the filters let pass at all. */
  passed: number;
  busy: boolean;
  fault: ApiError | null;
  refusal: Refusal | null;
}

/** Where one was in the list, kept with an entry of the history. */
interface Visit {
  selected?: number;
  scroll?: number;
}

export class App {
  readonly state = new Store<State>({
    info: null,
    address: nothing,
    sound: null,
    code: null,
    entries: [],
    set: null,
    selected: 0,
    filters: noFilters,
    passed: 0,
    busy: false,
    fault: null,
    refusal: null,
  });
  /** Called when results are in the list for the first time, with where one was before. */
  onArrival: (scroll: number) => void = () => undefined;
  /** Tells how far the list is scrolled. */
  scrolled: () => number = () => 0;
  #pending: AbortController | null = null;
  #results: readonly Entry[] = [];
  /** The sound that stays selected when results change under it. */
  #kept = '';
  /** The filter that is being moved or typed: one entry of the history, however long it takes. */
  #moving = '';

  /** Ask for the corpus, and for what the address says. */
  async start(): Promise<void> {
    addEventListener('popstate', () => this.#arrive());
    await this.refresh();
    await this.#arrive();
  }

  /** Ask about the corpus again; again and again while it is being filled. */
  async refresh(): Promise<void> {
    try {
      const info = await api.info();
      const { info: known, fault } = this.state.value;
      this.state.set({ info, fault: fault?.status === 0 ? null : fault });
      if (known && !known.searchable && info.searchable && this.#asked) void this.search();
      if (info.ingest || !info.searchable) setTimeout(() => void this.refresh(), POLL);
    } catch (error) {
      this.#fail(error);
    }
  }

  get selected(): Entry | undefined {
    return this.state.value.entries[this.state.value.selected];
  }

  get unit(): Unit {
    return this.state.value.address.unit ?? 'clip';
  }

  /** Search with a sound, or a stretch of one: an entry of the history. */
  open(place: Place, sound: Sound | null = null): void {
    const { like } = this.state.value.address;
    this.#go({ ...nothing, sound: place, unit: place.span ? 'segment' : null, like }, sound);
  }

  /** Show the start page. */
  home(): void {
    this.#go(nothing, null);
  }

  /** Search with another stretch of the same sound; null for all of it. */
  narrow(span: Span | null): void {
    const place = this.#place;
    if (!place) return;
    const sound = { ...place, span };
    this.#replace({
      ...this.state.value.address,
      sound,
      code: null,
      unit: span ? 'segment' : null,
    });
  }

  /** Search for others of its kind, or for the same sound: an entry of the history. */
  compare(like: Like): void {
    const { address, sound } = this.state.value;
    const place = this.#place; // a code says nothing in another way of comparing
    if (!place || like === (address.like ?? 'kind')) return;
    const next = like === 'same' ? { more: [], less: [], like } : { like: null };
    this.#go({ ...address, ...next, sound: place, code: null }, sound);
  }

  /** The sound that is searched with; that of a bare code, if there is one. */
  get #place(): Place | null {
    const { address, sound } = this.state.value;
    return address.sound ?? (sound && { id: sound.id, span: null });
  }

  /** Search for more, or for less, like an entry; again takes it back. */
  vote(entry: Entry, side: 'more' | 'less'): void {
    this.#vote(placeOf(entry), entry.sound, side);
  }

  #vote(place: Place, sound: Sound, side: 'more' | 'less'): void {
    const { address } = this.state.value;
    if (!address.code && !address.sound) {
      if (side === 'more') this.open(place, sound);
      return;
    }
    const other = side === 'more' ? 'less' : 'more';
    const without = (places: Place[]) => places.filter(one => !samePlace(one, place));
    const left = without(address[side]);
    const taken = left.length < address[side].length;
    this.voted.set(place.id, sound);
    const query = address.like ? { code: null, sound: this.#place, like: null } : {};
    this.#replace({
      ...address,
      ...query,
      [side]: taken ? left : [...left, place],
      [other]: without(address[other]),
    } as Address);
  }

  /** The sounds that were voted for or against, to name them. */
  readonly voted = new Map<string, Sound>();

  /** Send a file to the server and search with it, or add it to the mix. */
  async upload(file: Blob, name: string, side: 'query' | 'more' = 'query'): Promise<void> {
    const { info } = this.state.value;
    if (info && file.size > info.max_upload) {
      this.refuse(
        `${name} was not searched.`,
        tooLarge(file.size, info.max_upload, info.max_upload_option),
      );
      return;
    }
    const signal = this.#begin();
    try {
      const sound = await api.upload(name, file, signal);
      this.state.set({ busy: false, refusal: null });
      if (side === 'more') this.#vote({ id: sound.id, span: null }, sound, 'more');
      else this.open({ id: sound.id, span: null }, sound);
    } catch (error) {
      if (signal.aborted) return;
      this.state.set({ busy: false });
      if (error instanceof ApiError && error.status)
        this.refuse(`${name} was not searched.`, error.message);
      else this.#fail(error);
    }
  }

  /** Search with any sound that passes the filters; returns it. */
  async random(): Promise<Sound | null> {
    const { filters } = this.state.value;
    try {
      const [sound] = filters.folders?.length === 0 ? [] : await api.random(1, filters);
      if (!sound) {
        this.refuse(
          'There is no sound to choose from.',
          'No sound passes the filters: clear some.',
        );
        return null;
      }
      this.open({ id: sound.id, span: null }, sound);
      return sound;
    } catch (error) {
      this.#fail(error);
      return null;
    }
  }

  /** Let other sounds be found: an entry of the history. */
  filter(change: Partial<Filters>): void {
    const { address, filters: before } = this.state.value;
    const filters = { ...before, ...change };
    const next = writeAddress(address, filters);
    if (next === writeAddress(address, before)) {
      this.state.set({ filters }); // a space that was typed
      return;
    }
    const names = Object.keys(change);
    const moving = names.length === 1 && MOVING.has(names[0]) ? (names[0] as string) : '';
    if (moving && moving === this.#moving) history.replaceState(history.state, '', next);
    else {
      this.remember();
      history.pushState({}, '', next);
    }
    this.#moving = moving;
    this.state.set({ filters });
    if (this.#asked) void this.search();
  }

  /** Show a set of sounds in place of the results. */
  async showSet(name: string, ids: readonly string[]): Promise<void> {
    try {
      const entries = (await api.sounds(ids)).map(ofSound);
      this.state.set({ set: name, entries, selected: 0, fault: null });
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Show the results again. */
  leaveSet(): void {
    this.state.set({ set: null, entries: this.#results, selected: 0 });
  }

  /** Search for what a set of sounds has in common. */
  searchSet(ids: readonly string[]): void {
    const most = 100; // what the server takes: every so many, if there are more
    const step = Math.max(1, ids.length / most);
    const some = Array.from({ length: Math.min(most, ids.length) }, (_, i) => ({
      id: ids[Math.floor(i * step)] as string,
      span: null,
    }));
    const [first, ...more] = some;
    if (first) this.#go({ ...nothing, sound: first, more }, null);
  }

  select(index: number): void {
    this.state.set({ selected: index });
  }

  refuse(title: string, text: string): void {
    this.state.set({ refusal: { title, text } });
  }

  dismiss(): void {
    this.state.set({ refusal: null });
  }

  /** Remember where one is in the list, for when one comes back. */
  remember(): void {
    const visit: Visit = { selected: this.state.value.selected, scroll: this.scrolled() };
    history.replaceState(visit, '');
  }

  /** Search for what the state says. */
  async search(visit: Visit = {}): Promise<void> {
    const { address, filters } = this.state.value;
    const signal = this.#begin();
    try {
      const answer = await this.#answer(address, {
        unit: this.unit,
        like: address.like,
        n: this.#most,
        filters,
        signal,
      });
      this.#show(answer, visit);
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  async #answer(address: Address, options: Parameters<typeof api.search>[1]): Promise<Answer> {
    if (options.filters.folders?.length === 0) {
      const { documents = 0 } = this.state.value.info ?? {};
      const query = { code: address.code ?? '', document: this.state.value.sound };
      return { query, hits: [], passed: 0, documents };
    }
    const query = address.sound ?? address.code ?? '';
    try {
      if (address.more.length || address.less.length)
        return await api.mix(query, address.more, address.less, options);
      return await api.search(query, options);
    } catch (error) {
      // the sound is gone, or was an upload to an earlier server: its code finds the same
      const gone = error instanceof ApiError && [404, 410].includes(error.status);
      if (!gone || !address.sound || !address.code) throw error;
      this.state.set({ sound: null, address: { ...address, sound: null } });
      return this.#answer({ ...address, sound: null }, options);
    }
  }

  #show(answer: Answer, visit: Visit): void {
    const { address, filters } = this.state.value;
    const mixed = address.more.length + address.less.length > 0;
    const all = answer.hits.map(ofHit);
    const sound = answer.query.document ?? this.#named(answer, mixed);
    const entries = all.filter(entry => entry.sound.id !== address.sound?.id);
    const code = answer.query.code || address.code;
    // the address keeps the code of the sound itself, beside the sounds it is mixed with
    const own = mixed ? (address.code ?? sound?.code ?? null) : code;
    this.#results = entries;
    this.state.set({
      entries,
      set: null,
      selected: Math.min(visit.selected ?? this.#again(entries), Math.max(0, entries.length - 1)),
      sound,
      code,
      address: { ...address, code: own },
      passed: answer.passed,
      busy: false,
      fault: null,
    });
    history.replaceState(history.state, '', writeAddress({ ...address, code: own }, filters));
    this.onArrival(visit.scroll ?? 0);
  }

  /** Return where the selected sound is now, if the query is the same but for its mix or region. */
  #again(entries: readonly Entry[]): number {
    if (!this.#kept) return 0;
    return Math.max(
      0,
      entries.findIndex(entry => entry.sound.id === this.#kept),
    );
  }

  /** Return the sound that a code or a mix is shown as. */
  #named(answer: Answer, mixed: boolean): Sound | null {
    const { sound, address } = this.state.value;
    if (mixed && sound && sound.id === address.sound?.id) return sound;
    const [first] = answer.hits;
    return !address.sound && first?.distance === 0 ? first : null;
  }

  get #most(): number {
    const { info } = this.state.value;
    return info?.kind === 'model' ? info.n : RESULTS;
  }

  get #asked(): boolean {
    const { address } = this.state.value;
    return !!(address.code || address.sound);
  }

  #go(address: Address, sound: Sound | null): void {
    this.remember();
    this.#moving = '';
    history.pushState({}, '', writeAddress(address, this.state.value.filters));
    this.state.set({ address, sound, code: null, refusal: null, fault: null, set: null });
    if (this.#asked) void this.search();
    else this.#clear();
  }

  #replace(address: Address): void {
    this.#kept = this.selected?.sound.id ?? '';
    this.state.set({ address });
    void this.search().finally(() => {
      this.#kept = '';
    });
  }

  /** Show what the address says, after a click on back or a shared link. */
  async #arrive(): Promise<void> {
    const address = readAddress(location.search);
    this.#moving = '';
    const visit = (history.state ?? {}) as Visit; // before anything is remembered in its place
    const { sound } = this.state.value;
    const known = sound && sound.id === address.sound?.id ? sound : null;
    const filters = readFilters(location.search);
    this.state.set({ address, filters, sound: known, code: address.code });
    this.state.set({ fault: null, refusal: null });
    if (!this.#asked) return this.#clear();
    await this.#nameVotes(address);
    await this.search(visit);
  }

  async #nameVotes({ sound, more, less }: Address): Promise<void> {
    const places = [...more, ...less];
    const missing = places.map(place => place.id).filter(id => !this.voted.has(id));
    if (!places.length) return;
    try {
      if (sound && !this.state.value.sound) this.state.set({ sound: await api.sound(sound.id) });
      for (const one of await api.sounds(missing)) this.voted.set(one.id, one);
    } catch {
      // the search itself will say what is wrong
    }
  }

  #clear(): void {
    this.#pending?.abort();
    this.#results = [];
    this.state.set({ entries: [], sound: null, code: null, busy: false, set: null });
  }

  #begin(): AbortSignal {
    this.#pending?.abort();
    this.#pending = new AbortController();
    this.state.set({ busy: true });
    return this.#pending.signal;
  }

  #fail(error: unknown): void {
    const fault =
      error instanceof ApiError
        ? error
        : new ApiError(-1, 'page', error instanceof Error ? error.message : String(error), 'page');
    this.state.set({ fault, busy: false });
  }
}
