/** Canvases as sharp as the screen. */

export interface Surface {
  context: CanvasRenderingContext2D;
  /** Size in pixels of the canvas, and how many of them are one of the page. */
  width: number;
  height: number;
  scale: number;
}

/** Make a canvas as large as it is shown, clear it, and return what to draw with. */
export function surface(canvas: HTMLCanvasElement): Surface | null {
  const scale = Math.min(3, devicePixelRatio || 1);
  const width = Math.round(canvas.clientWidth * scale);
  const height = Math.round(canvas.clientHeight * scale);
  const context = canvas.getContext('2d');
  if (!width || !height || !context) return null;
  if (canvas.width !== width) canvas.width = width;
  if (canvas.height !== height) canvas.height = height;
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.clearRect(0, 0, width, height);
  return { context, width, height, scale };
}
