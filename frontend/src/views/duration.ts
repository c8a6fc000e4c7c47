/** The filter for durations: a histogram over two thumbs, on a logarithmic scale. */

import type { Span } from '../lib/address';
import { surface } from '../lib/canvas';
import { byId, set } from '../lib/dom';
import { length } from '../lib/format';
import { colour, onTheme } from '../theme';
import type { Context } from './context';

const SETTLE = 200; // ms
const everything: Span = [0, Number.POSITIVE_INFINITY];

export function mountDuration({ app }: Context): void {
  const section = byId('duration');
  const canvas = section.querySelector('canvas') as HTMLCanvasElement;
  const [low, high] = [...section.querySelectorAll('input')] as [
    HTMLInputElement,
    HTMLInputElement,
  ];
  const [from, to] = [...section.querySelectorAll('.range-ends span')] as [
    HTMLElement,
    HTMLElement,
  ];
  let edges: number[] = [];
  let counts: number[] = [];
  let settling = 0;

  const chosen = () => {
    const [a, b] = [Number(low.value), Number(high.value)];
    return [Math.min(a, b), Math.max(a, b)] as const;
  };
  const draw = () => {
    const [first, last] = chosen();
    from.textContent = length(edges[first] ?? 0);
    to.textContent = length(edges[last] ?? 0);
    set(low, { 'aria-valuetext': length(edges[Number(low.value)] ?? 0) });
    set(high, { 'aria-valuetext': length(edges[Number(high.value)] ?? 0) });
    const on = surface(canvas);
    if (!on) return;
    const { context, width, height, scale } = on;
    const most = Math.max(1, ...counts);
    const step = width / counts.length;
    counts.forEach((n, i) => {
      const tall = n ? Math.max(scale, Math.sqrt(n / most) * height) : 0;
      context.fillStyle = colour(i >= first && i < last ? 'wave-2' : 'line');
      context.fillRect(Math.round(i * step), height - tall, Math.max(1, step - scale), tall);
    });
  };
  const span = (): Span => {
    const [first, last] = chosen();
    return [
      first === 0 ? 0 : rounded(edges[first] ?? 0),
      last === edges.length - 1 ? Number.POSITIVE_INFINITY : rounded(edges[last] ?? 0),
    ];
  };
  const show = (seconds: Span | null) => {
    const asked = seconds ?? everything;
    if (span().some((time, i) => time !== asked[i])) {
      low.value = String(nearest(edges, asked[0]));
      high.value = String(nearest(edges, asked[1]));
    }
    draw();
  };
  const change = () => {
    draw();
    clearTimeout(settling);
    settling = setTimeout(() => {
      const seconds = span();
      app.filter({ seconds: seconds.every((time, i) => time === everything[i]) ? null : seconds });
    }, SETTLE);
  };
  low.addEventListener('input', change);
  high.addEventListener('input', change);

  app.state.on(['info'], ({ info }) => {
    const next = info?.durations ?? { edges: [], counts: [] };
    section.hidden = next.counts.length < 2;
    if (next.edges.join() === edges.join() && next.counts.join() === counts.join()) return;
    ({ edges, counts } = next);
    for (const input of [low, high]) input.max = String(counts.length);
    show(app.state.value.filters.seconds);
  });
  app.state.on(['filters'], ({ filters }) => show(filters.seconds));
  onTheme(draw);
  new ResizeObserver(draw).observe(canvas);
}

/** Times in addresses are short; far less than a step of the histogram is lost [s]. */
const rounded = (seconds: number): number => Number(seconds.toPrecision(4));

/** Return which edge is nearest. */
function nearest(edges: readonly number[], seconds: number): number {
  const far = (edge: number) => Math.abs(Math.log(edge / seconds));
  if (seconds === 0) return 0;
  if (seconds === Number.POSITIVE_INFINITY) return edges.length - 1;
  return edges.reduce((best, edge, i) => (far(edge) < far(edges[best] as number) ? i : best), 0);
}
