/** What is drawn over the dots: the results, the query, what the pointer is at, the lasso. */

import { surface } from '../lib/canvas';
import { colour } from '../theme';
import { type Camera, type Point, type Size, toWindow } from './camera';

export interface Marks {
  /** The nearest results. */
  near: readonly Point[];
  selected: Point | null;
  query: Point | null;
  pointed: Point | null;
  /** On the map, so that it moves with it. */
  lasso: readonly Point[];
}

export function drawMarks(
  canvas: HTMLCanvasElement,
  marks: Marks,
  camera: Camera,
  size: Size,
): void {
  const on = surface(canvas);
  if (!on) return;
  const { context, scale } = on;
  context.scale(scale, scale);
  const ring = (place: Point, radius: number, width: number, name: string) => {
    const [x, y] = toWindow(place, camera, size);
    context.lineWidth = width;
    context.strokeStyle = colour(name);
    context.beginPath();
    context.arc(x, y, radius, 0, 7);
    context.stroke();
  };
  for (const place of marks.near) ring(place, 6, 1.5, 'ink');
  if (marks.selected) ring(marks.selected, 8, 1.5, 'hit');
  if (marks.query) drawQuery(context, toWindow(marks.query, camera, size), canvas);
  if (marks.pointed) ring(marks.pointed, 8, 2, 'ink');
  const [first, ...rest] = marks.lasso.map(place => toWindow(place, camera, size));
  if (!first || !rest.length) return;
  context.beginPath();
  context.moveTo(...first);
  for (const point of rest) context.lineTo(...point);
  context.closePath();
  context.globalAlpha = 0.08;
  context.fillStyle = colour('ink');
  context.fill();
  context.globalAlpha = 1;
  context.setLineDash([5, 4]);
  context.lineWidth = 1.5;
  context.strokeStyle = colour('ink');
  context.stroke();
  context.setLineDash([]);
}

function drawQuery(context: CanvasRenderingContext2D, [x, y]: Point, canvas: HTMLCanvasElement) {
  context.strokeStyle = context.fillStyle = colour('hit');
  context.lineWidth = 2;
  context.beginPath();
  context.arc(x, y, 11, 0, 7);
  context.stroke();
  context.beginPath();
  context.arc(x, y, 4.5, 0, 7);
  context.fill();
  context.font = `600 12px ${getComputedStyle(canvas).fontFamily}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.lineJoin = 'round';
  context.lineWidth = 4;
  context.strokeStyle = colour('bg');
  context.strokeText('Query', x, y - 22);
  context.fillStyle = colour('ink');
  context.fillText('Query', x, y - 22);
}
