/**
 * The dots of the map, painted pixel by pixel.
 *
 * That takes some milliseconds for 200 000 dots on any machine; WebGL is faster where there is a
 * graphics card, and far slower where a browser has to do without.
 */

import { HUES } from '../lib/folders';
import { rgb } from '../theme';
import { type Camera, type Size, scales } from './camera';

/** A dot has a hue, and is strong (2), usual (1) or faint (0). */
export interface Dots {
  x: Float32Array;
  y: Float32Array;
  hue: Uint8Array;
  strength: Uint8Array;
}

export interface DotCanvas {
  /** Take other dots, or the same with other hues and strengths. */
  set: (dots: Dots) => void;
  draw: (camera: Camera, size: Size) => void;
}

const RADIUS = 2.7; // px
/** How large faint, usual and strong dots are, and how opaque. */
const SIZES = [1, 1, 1.55];
const OPAQUE = [0.1, 0.82, 0.82];
/** A canvas of more pixels than this is less sharp than the screen. */
const PIXELS = 4_000_000;
/** The places between two pixels that are told apart, in each direction. */
const PHASES = 4;
/** So wide is the rim around the picture, for dots that are cut off by its edge [px]. */
const RIM = 32;

/** Which pixels a dot covers, from its own one on, and how much of each, of 256. */
type Stamp = Int32Array;

const hueNames = [...Array.from({ length: HUES }, (_, i) => `f${i}`), 'ink-3'];

/** Return what draws dots on a canvas. */
export function dotCanvas(canvas: HTMLCanvasElement): DotCanvas {
  const context = canvas.getContext('2d', { alpha: false });
  let dots: Dots | null = null;
  let order = new Uint32Array();
  let image: ImageData | null = null;
  return {
    set: given => {
      dots = given;
      order = byStrength(given.strength);
    },
    draw: (camera, size) => {
      if (!dots || !context) return;
      const most = Math.sqrt(PIXELS / (size.width * size.height));
      const sharp = Math.min(3, devicePixelRatio || 1, most);
      const [width, height] = [Math.round(size.width * sharp), Math.round(size.height * sharp)];
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      if (image?.width !== width + 2 * RIM || image.height !== height + 2 * RIM)
        image = new ImageData(width + 2 * RIM, height + 2 * RIM);
      paint(image, dots, order, camera, size, sharp);
      context.putImageData(image, -RIM, -RIM);
    },
  };
}

/** Return the dots in the order in which they are drawn: the strong ones are on top. */
function byStrength(strength: Uint8Array): Uint32Array<ArrayBuffer> {
  const order = new Uint32Array(strength.length);
  let at = 0;
  for (const wanted of [0, 1, 2])
    for (let i = 0; i < strength.length; i++) if (strength[i] === wanted) order[at++] = i;
  return order;
}

/** Return how large a dot is; of many more than these, each is smaller, or none could be told. */
function radius(count: number, zoom: number, { width }: Size): number {
  const room = Math.max(0.4, Math.min(1, Math.sqrt(20_000 / count)));
  return RADIUS * room * (width > 900 ? 1.15 : 0.9) * Math.min(1.6, Math.sqrt(zoom));
}

function paint(
  image: ImageData,
  { x, y, hue, strength }: Dots,
  order: Uint32Array,
  camera: Camera,
  size: Size,
  sharp: number,
): void {
  const { width, height } = image;
  const pixels = new Uint32Array(image.data.buffer);
  pixels.fill(pixel('bg'));
  const colours = Uint32Array.from(hueNames, pixel);
  const usual = radius(x.length, camera.zoom, size) * sharp;
  const stamps = SIZES.map((times, i) => stampsOf(usual * times, OPAQUE[i] as number, width));
  // in parts of a pixel, that of a stamp's middle being its place
  const [a, b] = scales(camera, size).map(scale => scale * sharp * PHASES) as [number, number];
  const left = (width / 2) * PHASES - camera.x * a;
  const top = (height / 2) * PHASES + camera.y * b;
  const rim = (RIM / 2) * PHASES;
  const [right, bottom] = [width * PHASES - rim, height * PHASES - rim];
  for (let k = 0; k < order.length; k++) {
    const i = order[k] as number;
    const across = left + (x[i] as number) * a;
    const down = top - (y[i] as number) * b;
    if (!(across >= rim && across < right && down >= rim && down < bottom)) continue;
    const [column, row] = [across | 0, down | 0];
    const phase = (row % PHASES) * PHASES + (column % PHASES);
    const stamp = (stamps[strength[i] as number] as Stamp[])[phase] as Stamp;
    const own = ((row / PHASES) | 0) * width + ((column / PHASES) | 0);
    const colour = colours[hue[i] as number] as number;
    const [redBlue, green] = [colour & 0xff00ff, colour & 0xff00];
    for (let j = 0; j < stamp.length; j += 2) {
      const at = own + (stamp[j] as number);
      const part = stamp[j + 1] as number;
      const under = pixels[at] as number;
      const [underRedBlue, underGreen] = [under & 0xff00ff, under & 0xff00];
      // two of the colours at once: what one of them borrows of the other is less than can be seen
      pixels[at] =
        0xff000000 |
        ((underRedBlue + (Math.imul(redBlue - underRedBlue, part) >>> 8)) & 0xff00ff) |
        ((underGreen + (Math.imul(green - underGreen, part) >>> 8)) & 0xff00);
    }
  }
}

/** Return a colour of the style sheet as a pixel. */
function pixel(name: string): number {
  const [red, green, blue] = rgb(name);
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

/** Return the stamps of a dot, one for each of the places that it can have between two pixels. */
function stampsOf(radius: number, opaque: number, width: number): Stamp[] {
  const reach = Math.min(RIM / 2 - 1, Math.ceil(radius + 0.5));
  return Array.from({ length: PHASES * PHASES }, (_, phase) => {
    const x = ((phase % PHASES) + 0.5) / PHASES;
    const y = (Math.floor(phase / PHASES) + 0.5) / PHASES;
    const covered: number[] = [];
    for (let row = -reach; row <= reach; row++)
      for (let column = -reach; column <= reach; column++) {
        const far = Math.hypot(column + 0.5 - x, row + 0.5 - y);
        const part =
          Math.max(0, Math.min(1, radius + 0.5 - far)) * Math.min(1, 4 * radius * radius);
        if (part > 0.02) covered.push(row * width + column, Math.round(256 * part * opaque));
      }
    return Int32Array.from(covered);
  });
}
