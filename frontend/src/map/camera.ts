/** Where one looks at the map from: places on the map are within [-1, 1], y upwards. */

export interface Camera {
  x: number;
  y: number;
  /** How much larger than all of it. */
  zoom: number;
}

export interface Size {
  width: number;
  height: number;
}

export type Point = readonly [number, number];

export const whole: Camera = { x: 0, y: 0, zoom: 1 };

/** Return a camera that has nearly all places in view; a few far ones do not make the rest small. */
export function fitted(x: Float32Array, y: Float32Array): Camera {
  if (!x.length) return whole;
  const [left, right] = most(x);
  const [low, high] = most(y);
  const widest = Math.max(right - left, high - low, 0.02);
  return { x: (left + right) / 2, y: (low + high) / 2, zoom: Math.max(1, 1.9 / widest) };
}

/** Return a camera that shows the same above a margin at the foot of the window [px]. */
export function above(camera: Camera, margin: number, size: Size): Camera {
  const share = Math.max(0.5, 1 - margin / size.height);
  const smaller = { ...camera, zoom: camera.zoom * share };
  const [, unit] = scales(smaller, size);
  return { ...smaller, y: camera.y - ((1 - share) * size.height) / 2 / unit };
}

/** Return between which values 94 of 100 are, with a margin. */
function most(values: Float32Array): Point {
  const sorted = values.slice().sort();
  const at = (share: number) => sorted[Math.round(share * (sorted.length - 1))] as number;
  const margin = 0.1 * (at(0.97) - at(0.03));
  return [at(0.03) - margin, at(0.97) + margin];
}
const LEAST = 0.8;
const MOST = 200;

/** Return how many pixels of a window are 1 on the map; wide windows stretch it a little. */
export function scales({ zoom }: Camera, { width, height }: Size): Point {
  return [
    0.47 * Math.min(width, height * 1.9) * zoom,
    0.47 * Math.min(height, width * 1.15) * zoom,
  ];
}

/** Return where on the window a place is. */
export function toWindow([x, y]: Point, camera: Camera, size: Size): Point {
  const [a, b] = scales(camera, size);
  return [size.width / 2 + (x - camera.x) * a, size.height / 2 - (y - camera.y) * b];
}

/** Return which place is at a point of the window. */
export function toMap([x, y]: Point, camera: Camera, size: Size): Point {
  const [a, b] = scales(camera, size);
  return [camera.x + (x - size.width / 2) / a, camera.y - (y - size.height / 2) / b];
}

/** Zoom by a factor; what is at a point of the window stays there. */
export function zoomed(camera: Camera, factor: number, at: Point, size: Size): Camera {
  const zoom = Math.min(MOST, Math.max(LEAST, camera.zoom * factor));
  const before = toMap(at, camera, size);
  const after = toMap(at, { ...camera, zoom }, size);
  return { x: camera.x + before[0] - after[0], y: camera.y + before[1] - after[1], zoom };
}

/** Say whether a place is inside a loop. */
export function inside([x, y]: Point, loop: readonly Point[]): boolean {
  let within = false;
  let [px, py] = loop[loop.length - 1] ?? [0, 0];
  for (const [qx, qy] of loop) {
    if (py > y !== qy > y && x < ((qx - px) * (y - py)) / (qy - py) + px) within = !within;
    [px, py] = [qx, qy];
  }
  return within;
}
