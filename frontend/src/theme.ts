/** Light or dark, and the colours of the style sheet for what is drawn on canvases. */

import { byId } from './lib/dom';
import { HUES } from './lib/folders';
import type { Store } from './lib/store';
import type { Preferences } from './preferences';

const names = [
  'wave',
  'wave-2',
  'hit',
  'hit-soft',
  'line',
  'control',
  'ink',
  'ink-3',
  'bg',
  'bad',
  ...Array.from({ length: 5 }, (_, i) => `ramp-${i}`),
  ...Array.from({ length: HUES }, (_, i) => `f${i}`),
] as const;

// What is registered as a colour can be read as one, whatever it is written as.
for (const name of names)
  CSS.registerProperty({
    name: `--${name}`,
    syntax: '<color>',
    inherits: true,
    initialValue: '#888888',
  });

const dark = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();
let colours = new Map<string, string>();
let ramp: Uint32Array | null = null;

/** Return a colour of the style sheet, as it is now. */
export function colour(name: string): string {
  let value = colours.get(name);
  if (!value) {
    value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
    colours.set(name, value);
  }
  return value;
}

/** Return red, green and blue of a colour, from 0 to 255. */
export function rgb(name: string): [number, number, number] {
  const [red = 0, green = 0, blue = 0] = (colour(name).match(/[\d.]+/g) ?? []).map(Number);
  return [red, green, blue];
}

/** Return the colours of the Bark pictures, from low to high, as 256 pixels. */
export function rampPixels(): Uint32Array {
  if (ramp) return ramp;
  const stops = Array.from({ length: 5 }, (_, i) => rgb(`ramp-${i}`));
  const bytes = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i++) {
    const at = (i / 255) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    const [one, other] = [stops[low] as number[], stops[low + 1] as number[]];
    for (let k = 0; k < 3; k++)
      bytes[4 * i + k] =
        (one[k] as number) + ((other[k] as number) - (one[k] as number)) * (at - low);
    bytes[4 * i + 3] = 255;
  }
  ramp = new Uint32Array(bytes.buffer);
  return ramp;
}

/** Show the theme that is preferred; the button in the top bar changes it. */
export function mountTheme(preferences: Store<Preferences>): void {
  preferences.on(['theme'], ({ theme }) => setTheme(theme));
  byId('theme').addEventListener('click', () =>
    preferences.set({ theme: shownTheme() === 'dark' ? 'light' : 'dark' }),
  );
}

/** Show a theme; null stands for that of the system. */
function setTheme(theme: 'light' | 'dark' | null): void {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
  refresh();
}

/** Say which theme is shown. */
const shownTheme = (): 'light' | 'dark' =>
  (document.documentElement.dataset.theme as 'light' | 'dark' | undefined) ??
  (dark.matches ? 'dark' : 'light');

/** Call a function whenever the colours have changed. */
export function onTheme(listener: () => void): void {
  listeners.add(listener);
}

function refresh(): void {
  colours = new Map();
  ramp = null;
  for (const listener of listeners) listener();
}

dark.addEventListener('change', refresh);
