/** Which sounds may be found: what stands in addresses, of the page and of the server alike. */

import type { Span } from './address';
import { NO_FOLDER, pathWords } from './folders';
import { channelsName, count, kilohertz, length } from './format';

export interface Filters {
  /** Those that pass, with all below them; null for all. */
  folders: readonly string[] | null;
  seconds: Span | null;
  samplerates: readonly number[];
  channels: readonly number[];
  text: string;
}

export const noFilters: Filters = {
  folders: null,
  seconds: null,
  samplerates: [],
  channels: [],
  text: '',
};

/** Return the parameters of an address that say the same. */
export function filterParameters(filters: Filters): [string, string][] {
  const { folders, seconds, samplerates, channels } = filters;
  const [least, most] = seconds ?? [0, Number.POSITIVE_INFINITY];
  const text = filters.text.trim();
  const values: Record<string, readonly (string | number)[]> = {
    folder: folders?.length === 0 ? [NO_FOLDER] : (folders ?? []),
    min_seconds: least > 0 ? [least] : [],
    max_seconds: most < Number.POSITIVE_INFINITY ? [most] : [],
    samplerate: samplerates,
    channels,
    text: text ? [text] : [],
  };
  return Object.entries(values).flatMap(([name, all]) =>
    all.map((value): [string, string] => [name, String(value)]),
  );
}

/** Read the filters of an address; what makes no sense in it is left out. */
export function readFilters(search: string): Filters {
  const asked = new URLSearchParams(search);
  const numbers = (name: string) =>
    [...new Set(asked.getAll(name).filter(Boolean).map(Number))].filter(n => n >= 0 && n < 1e9);
  const [least = 0] = numbers('min_seconds');
  const [most = Number.POSITIVE_INFINITY] = numbers('max_seconds');
  const folders = asked.getAll('folder');
  return {
    folders: folders.length ? folders.filter(folder => folder !== NO_FOLDER) : null,
    seconds: least > 0 || most < Number.POSITIVE_INFINITY ? [least, most] : null,
    samplerates: numbers('samplerate'),
    channels: numbers('channels').filter(n => n < 256 && Number.isInteger(n)),
    text: asked.get('text') ?? '',
  };
}

/** A filter that holds, in words, and what is left of all when it is removed. */
export interface Held {
  words: string;
  removed: Partial<Filters>;
}

/** Return each filter that holds. */
export function held(filters: Filters): Held[] {
  const { folders, seconds, samplerates, channels } = filters;
  const text = filters.text.trim();
  const found: Held[] = [];
  const add = (words: string, removed: Partial<Filters>) => found.push({ words, removed });
  if (folders) {
    const [only] = folders;
    const one = folders.length === 1 && only !== undefined;
    add(one ? pathWords(only) : count(folders.length, 'folder'), { folders: null });
  }
  if (seconds) add(durationWords(seconds), { seconds: null });
  for (const rate of samplerates)
    add(kilohertz(rate), { samplerates: samplerates.filter(one => one !== rate) });
  for (const n of channels) add(channelsName(n), { channels: channels.filter(one => one !== n) });
  if (text) add(`“${text}”`, { text: '' });
  return found;
}

/** "under 0.2 s", "over 3.0 s", "0.2 to 3.0 s". */
function durationWords([least, most]: Span): string {
  const words = (seconds: number) => length(seconds).replace(/(\.\d)\d s/, '$1 s');
  if (least <= 0) return `under ${words(most)}`;
  if (most === Number.POSITIVE_INFINITY) return `over ${words(least)}`;
  return `${words(least)} to ${words(most)}`;
}
