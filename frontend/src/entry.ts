/** What stands in the list: a sound, or the stretch of it that was found. */

import type { Place, Span } from './lib/address';
import type { Hit, Sound } from './lib/api';
import { clock, halves, length, percent } from './lib/format';
import { isWhole } from './lib/region';
import type { Clip } from './player';

export interface Entry {
  /** The same for the same stretch of the same sound. */
  key: string;
  sound: Sound;
  /** What matches; null for all of it. */
  span: Span | null;
  /** Bits that differ from the query's code; null for what was not searched for. */
  distance: number | null;
  score: number | null;
}

/** Make an entry of a hit. */
export function ofHit(hit: Hit): Entry {
  const end = Math.min(hit.seconds, hit.start + hit.duration);
  const span: Span = [Math.min(hit.start, end), end];
  return {
    key: `${hit.id}~${hit.start.toFixed(3)}`,
    sound: hit,
    span: isWhole(span, hit.seconds) ? null : span,
    distance: hit.distance,
    score: hit.score,
  };
}

/** Make an entry of a sound of a set. */
export const ofSound = (sound: Sound): Entry => ({
  key: sound.id,
  sound,
  span: null,
  distance: null,
  score: null,
});

export const placeOf = ({ sound, span }: Entry): Place => ({ id: sound.id, span });

/** Return what is heard of an entry. */
export const clipOf = ({ key, sound, span }: Entry): Clip => ({
  key,
  id: sound.id,
  name: sound.name,
  span: span ?? [0, sound.seconds],
  seconds: sound.seconds,
});

/** Return the matching part, from 0 to 1. */
export const partOf = ({ sound, span }: Entry): Span | null =>
  span && [span[0] / sound.seconds, span[1] / sound.seconds];

/** "0.46 to 1.16 of 5.82 s", or the length of a whole sound. */
export const timesOf = ({ sound, span }: Entry): string =>
  span
    ? `${clock(span[0])} to ${clock(span[1])} of ${length(sound.seconds)}`
    : length(sound.seconds);

/** Say an entry aloud, with its rank. */
export function labelOf(entry: Entry, rank: number): string {
  const { sound, span, score } = entry;
  const where = span
    ? `match from ${clock(span[0])} to ${clock(span[1])} seconds`
    : `whole sound, ${clock(sound.seconds)} seconds`;
  const like = score === null ? '' : `${percent(score)} percent, `;
  return `${rank}, ${sound.name}, ${folderName(sound.folder)}, ${like}${where}`;
}

/** Name a folder; sounds at the top are in none. */
export const folderName = (folder: string): string => folder || 'no folder';

/** Cut a name before its end, as two pieces of text. */
export const nameHalves = (entry: Entry): [string, string] => halves(entry.sound.name);
