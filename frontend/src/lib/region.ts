/** The stretch that is dragged on the wave of the query; every function returns a new one. */

import type { Span } from './address';

/** The shortest stretch [s]; less than a frame or two has no timbre. */
export const SHORTEST = 0.05;

/** Make a stretch between two points, in the sound and not too short. */
export function between(one: number, other: number, duration: number): Span {
  const shortest = Math.min(SHORTEST, duration);
  const from = clamp(Math.min(one, other), 0, duration - shortest);
  return [from, clamp(Math.max(one, other), from + shortest, duration)];
}

/** Move a stretch as it is. */
export function moved(span: Span, by: number, duration: number): Span {
  const long = span[1] - span[0];
  const from = clamp(span[0] + by, 0, duration - long);
  return [from, from + long];
}

/** Move one end; it stops at the other. */
export function resized(span: Span, end: 0 | 1, to: number, duration: number): Span {
  const shortest = Math.min(SHORTEST, duration);
  return end === 0
    ? [clamp(to, 0, span[1] - shortest), span[1]]
    : [span[0], clamp(to, span[0] + shortest, duration)];
}

/** Say whether a stretch is as good as the whole sound. */
export const isWhole = (span: Span | null, duration: number): boolean =>
  !span || span[1] - span[0] > 0.97 * duration;

/** Return where a first region lies: .7 s from the middle of a sound that is longer. */
export function suggested(duration: number): Span {
  const long = Math.min(0.7, duration / 2);
  const from = Math.max(0, duration * 0.34);
  return between(from, from + long, duration);
}

const clamp = (x: number, low: number, high: number): number => Math.min(high, Math.max(low, x));
