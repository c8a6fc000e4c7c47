/** Waveforms and Bark pictures: fetched once, drawn in the colours of the theme. */

import type { Span } from './lib/address';
import { api, type Peaks } from './lib/api';
import { Cache } from './lib/cache';
import { surface } from './lib/canvas';
import { Queue } from './lib/queue';
import { colour, rampPixels } from './theme';

/** A grey picture of 100 bands, as it came. */
interface Grey {
  width: number;
  height: number;
  values: Uint8Array;
}

/** The loudest sample, in peaks. */
const FULL = 127;
/** 40 dB less are drawn half as high. */
const QUIETER = 0.15;

/** A browser has six lines to a server: some are left for what is to be heard. */
const queue = new Queue(3);
const peaks = new Cache<Peaks>(8_000_000, one => one.columns * 3);
const greys = new Cache<Grey>(24_000_000, one => one.values.length);

/** Part of a whole, from 0 to 1; null for all of it, or nothing to point at. */
export type Part = Span | null;

/** Draw the wave of a sound, a part of it in orange. */
export async function drawWave(
  canvas: HTMLCanvasElement,
  id: string,
  columns: number,
  part: Part,
): Promise<void> {
  const found = await peaks.get(`${id} ${columns}`, () => queue.run(() => api.peaks(id, columns)));
  paintWave(canvas, found, part);
}

/** Draw the Bark picture of a sound, a line over the part that is meant. */
export async function drawBark(
  canvas: HTMLCanvasElement,
  id: string,
  width: number,
  part: Part,
): Promise<void> {
  const found = await greys.get(`${id} ${width}`, () =>
    queue.run(() => grey(api.picture(id, width))),
  );
  paintBark(canvas, found, part);
}

function paintWave(
  canvas: HTMLCanvasElement,
  { peak, columns, low, high, rms }: Peaks,
  part: Part,
) {
  const on = surface(canvas);
  if (!on) return;
  const { context, width, height, scale } = on;
  const [from, to] = marked(part, width, scale);
  const middle = height / 2;
  // quiet sounds are drawn larger than they are, or there would be nothing to see
  const unit = (0.97 * middle * Math.min(1, peak) ** QUIETER) / FULL;
  const at = (values: number[], x: number, pick: (...values: number[]) => number) => {
    const first = Math.floor((x / width) * columns);
    const last = Math.max(first + 1, Math.floor(((x + 1) / width) * columns));
    return pick(...values.slice(first, last));
  };
  // two strokes in two colours each: the peaks, and the RMS upon them
  for (const stroke of ['peak', 'rms'] as const)
    for (const hit of [false, true]) {
      context.fillStyle = colour(
        stroke === 'peak' ? (hit ? 'hit-soft' : 'wave') : hit ? 'hit' : 'wave-2',
      );
      for (let x = hit ? from : 0; x < (hit ? to : width); x++) {
        if (!hit && x >= from && x < to) continue;
        const loud = at(rms, x, Math.max) * unit;
        const top = stroke === 'peak' ? at(high, x, Math.max) * unit : loud;
        const bottom = stroke === 'peak' ? -at(low, x, Math.min) * unit : loud;
        context.fillRect(x, middle - top, 1, Math.max(scale * 0.6, top + bottom));
      }
    }
  if (to > from) context.fillRect(from, height - 1.5 * scale, to - from, 1.5 * scale);
}

function paintBark(canvas: HTMLCanvasElement, { width: w, height: h, values }: Grey, part: Part) {
  const on = surface(canvas);
  if (!on) return;
  const { context, width, height, scale } = on;
  const table = rampPixels();
  const image = new ImageData(w, h);
  const pixels = new Uint32Array(image.data.buffer);
  for (let i = 0; i < pixels.length; i++) pixels[i] = table[values[i] as number] as number;
  const picture = new OffscreenCanvas(w, h);
  picture.getContext('2d')?.putImageData(image, 0, 0);
  context.imageSmoothingEnabled = true;
  context.drawImage(picture, 0, 0, width, height);
  const [from, to] = marked(part, width, scale);
  context.fillStyle = colour('hit');
  if (to > from) context.fillRect(from, height - 2 * scale, to - from, 2 * scale);
}

/** Return the columns of a part, at least two pixels of the page. */
function marked(part: Part, width: number, scale: number): [number, number] {
  if (!part) return [0, 0];
  const from = Math.min(width - 2 * scale, Math.floor(part[0] * width));
  return [from, Math.max(from + 2 * scale, Math.min(width, Math.ceil(part[1] * width)))];
}

async function grey(address: string): Promise<Grey> {
  const response = await fetch(address, { priority: 'low' });
  if (!response.ok) throw new Error(`no picture: ${response.status}`);
  const bitmap = await createImageBitmap(await response.blob());
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext('2d', { willReadFrequently: true });
  if (!context) throw new Error('no canvas to draw on');
  context.drawImage(bitmap, 0, 0);
  const colours = context.getImageData(0, 0, width, height).data;
  return {
    width,
    height,
    values: Uint8Array.from({ length: width * height }, (_, i) => colours[4 * i] as number),
  };
}
