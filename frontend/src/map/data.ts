/** The places of all sounds, as the server computed them. */

import { api, type MapLayout } from '../lib/api';
import type { Filters } from '../lib/filters';
import { isIn } from '../lib/folders';

export interface Places {
  version: string;
  count: number;
  x: Float32Array;
  y: Float32Array;
  seconds: Float32Array;
  samplerate: Float32Array;
  folder: Uint16Array;
  channels: Uint8Array;
  folders: readonly string[];
  /** These three come later: the dots can be drawn without them. */
  ids: readonly string[];
  names: readonly string[];
  /** Which place a sound has. */
  at: ReadonlyMap<string, number>;
}

const arrays = { float32: Float32Array, uint16: Uint16Array, uint8: Uint8Array };
const WAIT = 500; // ms
/** Lengths are rounded on their way [s]. */
const ROUNDED = 1e-5;

/**
 * Get the map; while it is computed, tell how far it is, from 0 to 1. Then get what the sounds are
 * called, and tell that, too.
 */
export async function loadPlaces(
  onProgress: (done: number) => void,
  onNames: (places: Places) => void,
): Promise<Places> {
  let layout = await api.map();
  while (!layout.ready) {
    onProgress(layout.done);
    await new Promise(resolve => setTimeout(resolve, WAIT));
    layout = await api.map();
  }
  const buffer = await api.points(layout.points);
  const places: Places = {
    version: layout.version,
    count: layout.count,
    x: column(layout, buffer, 'x') as Float32Array,
    y: column(layout, buffer, 'y') as Float32Array,
    seconds: column(layout, buffer, 'seconds') as Float32Array,
    samplerate: column(layout, buffer, 'samplerate') as Float32Array,
    folder: column(layout, buffer, 'folder') as Uint16Array,
    channels: column(layout, buffer, 'channels') as Uint8Array,
    folders: layout.folders,
    ids: [],
    names: [],
    at: new Map(),
  };
  api.names(layout.names).then(
    ({ ids, names }) =>
      onNames({ ...places, ids, names, at: new Map(ids.map((id, i) => [id, i])) }),
    () => undefined, // the map is past, and another one is asked for
  );
  return places;
}

function column(layout: MapLayout, buffer: ArrayBuffer, name: string) {
  const found = layout.columns.find(one => one.name === name);
  if (!found) throw new Error(`the map has no column ${name}`);
  return new arrays[found.type](buffer, found.offset, layout.count);
}

/** Return which sounds pass the filters and the folders that were singled out. */
export function passing(
  places: Places,
  filters: Filters,
  isShown: (folder: string) => boolean,
): Uint8Array {
  const { folders: allowed, seconds, samplerates, channels } = filters;
  const folders = places.folders.map(
    folder => isShown(folder) && (!allowed || allowed.some(path => isIn(folder, path))),
  );
  const words = filters.text.toLowerCase().split(/\s+/).filter(Boolean);
  const [least, most] = seconds ?? [0, Number.POSITIVE_INFINITY];
  const passes = new Uint8Array(places.count);
  for (let i = 0; i < places.count; i++) {
    const folder = places.folder[i] as number;
    const long = places.seconds[i] as number;
    passes[i] = Number(
      folders[folder] &&
        long >= least - ROUNDED &&
        long <= most + ROUNDED &&
        (!samplerates.length || samplerates.includes(places.samplerate[i] as number)) &&
        (!channels.length || channels.includes(places.channels[i] as number)) &&
        words.every(word =>
          `${places.names[i]} ${places.folders[folder]}`.toLowerCase().includes(word),
        ),
    );
  }
  return passes;
}
