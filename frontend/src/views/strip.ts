/** The wave and the Bark picture of the query on one axis of time, with the region to search with. */

import type { Span } from '../lib/address';
import { surface } from '../lib/canvas';
import { byId, set } from '../lib/dom';
import { clock } from '../lib/format';
import { between, isWhole, moved, resized } from '../lib/region';
import { drawBark, drawWave } from '../pictures';
import { colour, onTheme } from '../theme';
import type { Context } from './context';

/** How long after the last change it is searched [ms]. */
const SETTLE = 220;
/** Narrower than this, the label of the region moves outside [px]. */
const NARROW = 118;
/** What a drag is, and a click is not [px]. */
const DRAG = 3;

export function mountStrip({ app, player }: Context): { show: () => void } {
  const strip = byId('strip');
  const [wave, bark, ruler] = [...strip.querySelectorAll('canvas')] as [
    HTMLCanvasElement,
    HTMLCanvasElement,
    HTMLCanvasElement,
  ];
  const box = strip.querySelector('.region') as HTMLElement;
  const label = box.querySelector('b') as HTMLElement;
  const handles = [...box.querySelectorAll<HTMLElement>('.handle')];
  let span: Span | null = null;
  let settling = 0;
  let drawn = '';

  const seconds = () => app.state.value.sound?.seconds ?? 0;

  const place = () => {
    const all = seconds();
    const hidden = isWhole(span, all);
    box.hidden = hidden;
    if (hidden || !span) return;
    const [from, to] = span;
    box.style.left = `${(from / all) * 100}%`;
    box.style.right = `${(1 - to / all) * 100}%`;
    const narrow = ((to - from) / all) * strip.clientWidth < NARROW;
    box.classList.toggle('label-left', narrow && to / all > 0.6);
    box.classList.toggle('label-right', narrow && to / all <= 0.6);
    label.textContent = `${clock(from)} to ${clock(to)} s`;
    handles.forEach((handle, i) => {
      const value = span?.[i] ?? 0;
      set(handle, {
        'aria-valuemin': 0,
        'aria-valuemax': all.toFixed(2),
        'aria-valuenow': value.toFixed(2),
        'aria-valuetext': `${clock(value)} seconds`,
      });
    });
  };
  const draw = async () => {
    const { sound } = app.state.value;
    if (!sound || !strip.clientWidth) return;
    const part: Span | null =
      span && !isWhole(span, sound.seconds)
        ? [span[0] / sound.seconds, span[1] / sound.seconds]
        : null;
    drawRuler(ruler, sound.seconds);
    await Promise.allSettled([
      drawWave(wave, sound.id, 2000, part),
      drawBark(bark, sound.id, 1200, null),
    ]);
  };
  const change = (next: Span, settled: boolean) => {
    span = next;
    place();
    void draw();
    clearTimeout(settling);
    if (settled)
      settling = setTimeout(() => app.narrow(isWhole(span, seconds()) ? null : span), SETTLE);
  };

  strip.addEventListener('pointerdown', event => {
    if (event.button) return;
    const all = seconds();
    const frame = strip.getBoundingClientRect();
    const at = (x: number) => Math.min(1, Math.max(0, (x - frame.left) / frame.width)) * all;
    const start = at(event.clientX);
    const handle = handles.indexOf(event.target as HTMLElement);
    const before = event.target === box || handle >= 0 ? span : null;
    let dragged = false;
    strip.setPointerCapture(event.pointerId);
    const move = (now: PointerEvent) => {
      if (!dragged && Math.abs(now.clientX - event.clientX) < DRAG) return;
      dragged = true;
      const here = at(now.clientX);
      if (before && handle >= 0) change(resized(before, handle as 0 | 1, here, all), false);
      else if (before) change(moved(before, here - start, all), false);
      else change(between(start, here, all), false);
    };
    const up = () => {
      strip.removeEventListener('pointermove', move);
      strip.removeEventListener('pointerup', up);
      strip.removeEventListener('pointercancel', up);
      const { sound } = app.state.value;
      if (!sound) return;
      if (dragged && span) change(span, true);
      else
        void player.play({
          key: 'query',
          id: sound.id,
          name: sound.name,
          span: [start, all],
          seconds: all,
        });
    };
    strip.addEventListener('pointermove', move);
    strip.addEventListener('pointerup', up);
    strip.addEventListener('pointercancel', up);
  });

  handles.forEach((handle, i) => {
    handle.addEventListener('keydown', event => {
      const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
      if (!step || !span) return;
      event.preventDefault();
      event.stopPropagation();
      const to = (span[i] ?? 0) + step * (event.shiftKey ? 0.1 : 0.01);
      change(resized(span, i as 0 | 1, to, seconds()), true);
    });
  });

  onTheme(() => void draw());
  new ResizeObserver(() => {
    place();
    void draw();
  }).observe(strip);

  return {
    show: () => {
      const { sound, address } = app.state.value;
      span = address.sound?.span ?? null;
      place();
      const now = `${sound?.id} ${span}`;
      if (now !== drawn) void draw();
      drawn = now;
    },
  };
}

function drawRuler(canvas: HTMLCanvasElement, seconds: number): void {
  const on = surface(canvas);
  if (!on) return;
  const { context, width, height, scale } = on;
  const steps = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 300, 600];
  const step = steps.find(one => (one / seconds) * width > 64 * scale) ?? 1800;
  const digits = step < 0.1 ? 2 : step < 1 ? 1 : 0;
  context.font = `${10 * scale}px ${getComputedStyle(canvas).fontFamily}`;
  context.textBaseline = 'bottom';
  for (let i = 0; i * step < seconds; i++) {
    const x = ((i * step) / seconds) * width;
    context.fillStyle = colour('control');
    context.fillRect(Math.round(x), 3 * scale, scale, 4 * scale);
    context.fillStyle = colour('ink-3');
    const words = (i * step).toFixed(digits) + (i ? '' : ' s');
    if (x + 28 * scale < width) context.fillText(words, x + 4 * scale, height);
  }
}
