/** The map of the corpus: hover to hear, click to search, lasso for a set. */

import '../styles/map.css';
import { folderName } from '../entry';
import { byId, fill, h, icon, iconButton, set } from '../lib/dom';
import { HUES, hueOf } from '../lib/folders';
import { count, length } from '../lib/format';
import { drawBark } from '../pictures';
import { onTheme } from '../theme';
import type { Context } from '../views/context';
import { askText, tell } from '../views/float';
import {
  above,
  type Camera,
  fitted,
  inside,
  type Point,
  scales,
  type Size,
  toMap,
  toWindow,
  whole,
  zoomed,
} from './camera';
import { loadPlaces, type Places, passing } from './data';
import { dotCanvas } from './dots';
import { drawMarks } from './marks';

export interface MapView {
  toggleLasso: () => void;
  /** Give up the lasso; says whether there was one. */
  clear: () => boolean;
}

/** So many of the results are ringed. */
const NEAREST = 24;
/** This near is at a dot [px]. */
const REACH = 14;
/** The legend's distance from the foot of the map, and from what is above it [px]. */
const LEGEND = 20;
/** What is heard of a sound under the pointer [s]. */
const HEARD = 2;
const LABEL =
  'Map of the corpus: each dot is a sound, near dots sound alike. Arrow keys move to a neighbour and play it, Enter searches.';

export function mountMap(context: Context): MapView {
  const { app, player, preferences, sets } = context;
  const section = byId('map');
  const back = h('canvas', { 'aria-hidden': 'true' });
  const front = h('canvas.marks' as 'canvas', {
    tabindex: 0,
    role: 'application',
    'aria-label': LABEL,
  });
  const wait = h('p.map-wait', { role: 'status' });
  const tip = makeTip(context);
  const lassoButton = h(
    'button.button',
    { title: 'Lasso (L, or hold Shift)' },
    icon('lasso'),
    'Lasso',
  );
  const fit = h('button.button', {}, 'Fit');
  const hover = h('button.button.hover-button' as 'button', {}, 'Hover to hear');
  const legend = h('div.legend', { role: 'group', 'aria-label': 'Folders' });
  const bar = h('div.lassoed', { role: 'status', hidden: true });
  const tools = h('div.map-tools', {}, lassoButton, fit, hover);
  fill(section, back, front, wait, tools, legend, tip.element, bar);

  const dots = dotCanvas(back);
  let places: Places | null = null;
  const home = (): Camera => {
    if (!places || !section.clientHeight) return whole;
    const room = legend.hidden ? 0 : legend.offsetHeight + LEGEND;
    return above(fitted(places.x, places.y), room, size());
  };
  let camera: Camera = whole;
  let pointed = -1;
  let isolated: string | null = null;
  let passes = new Uint8Array();
  let lasso: Point[] = [];
  let caught: Set<number> | null = null;
  let lassoing = false;
  let frame = 0;

  const size = (): Size => ({ width: section.clientWidth, height: section.clientHeight });
  const placeAt = (i: number): Point | null =>
    places && i >= 0 ? [places.x[i] as number, places.y[i] as number] : null;
  const placeOf = (id: string | undefined): Point | null =>
    placeAt((id === undefined ? undefined : places?.at.get(id)) ?? -1);

  const draw = () => {
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(() => {
      const now = size();
      if (!places || !now.width) return;
      dots.draw(camera, now);
      const { entries, selected, address, sound } = app.state.value;
      const near = entries
        .slice(0, NEAREST)
        .map(one => placeOf(one.sound.id))
        .filter(place => place !== null);
      const marks = {
        near,
        selected: placeOf(entries[selected]?.sound.id),
        query: placeOf(sound?.id ?? address.sound?.id),
        pointed: placeAt(pointed),
        lasso,
      };
      drawMarks(front, marks, camera, now);
    });
  };
  const colourDots = () => {
    if (!places) return;
    const groups = context.hueGroups();
    const hues = places.folders.map(folder => hueOf(folder, groups));
    const hue = Uint8Array.from(places.folder, at => {
      const found = hues[at] ?? -1;
      return found < 0 ? HUES : found;
    });
    const shown = isolated;
    const group = groups.findIndex(one => one.path === shown);
    passes = passing(places, app.state.value.filters, folder =>
      shown === null ? true : hueOf(folder, groups) === group,
    ) as Uint8Array<ArrayBuffer>;
    const strength = Uint8Array.from(passes, (ok, i) => Number(caught ? caught.has(i) : ok));
    for (const { sound } of app.state.value.entries.slice(0, NEAREST)) {
      const at = places.at.get(sound.id);
      if (at !== undefined && strength[at]) strength[at] = 2;
    }
    dots.set({ x: places.x, y: places.y, hue, strength });
    draw();
  };
  const showLegend = () => {
    fill(
      legend,
      ...context.hueGroups().map((group, hue) => {
        const button = h(
          'button',
          { 'aria-pressed': String(isolated === group.path), title: group.path },
          h('i.dot'),
          h('span', {}, group.name || folderName('')),
        );
        button.classList.add(`hue-${hue}`);
        button.addEventListener('click', () => {
          isolated = isolated === group.path ? null : group.path;
          showLegend();
          colourDots();
          legend.querySelectorAll('button')[hue]?.focus();
        });
        return button;
      }),
    );
    legend.hidden = context.hueGroups().length < 2;
  };

  /** Return the dot at a point of the window, or -1. */
  const dotAt = (point: Point): number => {
    if (!places) return -1;
    const [x, y] = toMap(point, camera, size());
    const [a, b] = scales(camera, size());
    let best = -1;
    let least = REACH ** 2;
    for (let i = 0; i < places.count; i++) {
      const far =
        (((places.x[i] as number) - x) * a) ** 2 + (((places.y[i] as number) - y) * b) ** 2;
      if (far < least && passes[i]) {
        best = i;
        least = far;
      }
    }
    return best;
  };
  const point = (i: number, hear: boolean) => {
    if (i === pointed) return;
    pointed = i;
    draw();
    const place = placeAt(i);
    tip.show(places, i, place && toWindow(place, camera, size()), size());
    const id = places?.ids[i];
    if (!hear || id === undefined || !places) return;
    const seconds = places.seconds[i] as number;
    const span = [0, Math.min(HEARD, seconds)] as const;
    void player.play({ key: 'map', id, name: places.names[i] ?? '', span, seconds });
  };
  const searchAt = (i: number) => {
    const id = places?.ids[i];
    if (id === undefined) return;
    app.open({ id, span: null });
    if (preferences.value.view === 'map' && innerWidth > 1080) preferences.set({ view: 'both' });
  };
  const clear = () => {
    const had = lasso.length > 0 || lassoing;
    lasso = [];
    caught = null;
    bar.hidden = true;
    setLassoing(false);
    colourDots();
    return had;
  };
  const setLassoing = (now: boolean) => {
    lassoing = now;
    section.classList.toggle('lassoing', now);
    set(lassoButton, { 'aria-pressed': String(now) });
  };
  const endLasso = () => {
    setLassoing(false);
    const loop = lasso;
    const found = new Set<number>();
    for (let i = 0; i < passes.length; i++)
      if (passes[i] && inside(placeAt(i) as Point, loop)) found.add(i);
    if (!found.size) {
      clear();
      return;
    }
    caught = found;
    showBar([...found].map(i => places?.ids[i] as string));
    colourDots();
  };
  const showBar = (ids: string[]) => {
    const act = (words: string, run: () => void, solid = false) => {
      const button = h('button.button', {}, words);
      button.classList.toggle('solid', solid);
      button.addEventListener('click', run);
      return button;
    };
    const save = async () => {
      const name = await askText(`Save ${count(ids.length)} as a collection. Its name:`);
      if (name && (await sets.save(name, ids))) tell(`Saved ${count(ids.length)} as “${name}”`);
    };
    const list = () => {
      void app.showSet('the lasso', ids);
      if (preferences.value.view === 'map')
        preferences.set({ view: innerWidth > 1080 ? 'both' : 'list' });
    };
    bar.hidden = false;
    fill(
      bar,
      h('strong', {}, count(ids.length)),
      act('Show as list', list),
      act('Search with set', () => app.searchSet(ids)),
      act('Save collection', () => void save(), true),
      iconButton('close', 'Clear lasso', clear),
    );
  };

  const at = (event: MouseEvent): Point => [event.offsetX, event.offsetY];
  front.addEventListener('pointerdown', event => {
    if (event.button) return;
    front.setPointerCapture(event.pointerId);
    const [begin, from] = [at(event), camera];
    const draws = lassoing || event.shiftKey;
    let moved = false;
    if (draws) {
      caught = null;
      bar.hidden = true;
      lasso = [toMap(begin, camera, size())];
    }
    const move = (now: PointerEvent) => {
      const here = at(now);
      moved ||= Math.hypot(here[0] - begin[0], here[1] - begin[1]) > 4;
      if (draws) lasso.push(toMap(here, camera, size()));
      else if (moved) {
        const [a, b] = [toMap(begin, from, size()), toMap(here, from, size())];
        camera = { ...from, x: from.x + a[0] - b[0], y: from.y + a[1] - b[1] };
      }
      point(-1, false);
      draw();
    };
    const up = (now: PointerEvent) => {
      front.removeEventListener('pointermove', move);
      front.removeEventListener('pointerup', up);
      front.removeEventListener('pointercancel', up);
      if (draws && lasso.length > 5) endLasso();
      else if (!moved) {
        if (lasso.length) clear();
        const i = dotAt(at(now));
        if (i < 0) return;
        if (now.pointerType === 'touch') point(i, true);
        searchAt(i);
      }
    };
    front.addEventListener('pointermove', move);
    front.addEventListener('pointerup', up);
    front.addEventListener('pointercancel', up);
  });
  front.addEventListener('pointermove', event => {
    if (!event.buttons) point(dotAt(at(event)), preferences.value.hover);
  });
  front.addEventListener('pointerleave', event => {
    if (!event.buttons) point(-1, false);
  });
  front.addEventListener(
    'wheel',
    event => {
      event.preventDefault();
      camera = zoomed(camera, Math.exp(-event.deltaY * 0.0016), at(event), size());
      point(-1, false);
      draw();
    },
    { passive: false },
  );
  front.addEventListener('keydown', event => {
    const ways: Record<string, Point> = {
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
      ArrowUp: [0, 1],
      ArrowDown: [0, -1],
    };
    const way = ways[event.key];
    if (way && places) {
      const { sound } = app.state.value;
      const from = pointed >= 0 ? pointed : (places.at.get(sound?.id ?? '') ?? 0);
      point(neighbour(places, passes, from, way), preferences.value.hover);
    } else if (event.key === 'Enter' && pointed >= 0) searchAt(pointed);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  lassoButton.addEventListener('click', () => setLassoing(!lassoing));
  fit.addEventListener('click', () => {
    camera = home();
    draw();
  });
  hover.addEventListener('click', () => preferences.set({ hover: !preferences.value.hover }));
  preferences.on(['hover'], value => set(hover, { 'aria-pressed': String(value.hover) }));
  setLassoing(false);
  onTheme(draw);
  new ResizeObserver(draw).observe(section);
  app.state.on(['filters', 'entries'], colourDots);
  app.state.on(['selected', 'sound', 'address'], draw);

  let asked = '';
  const load = async () => {
    const { info } = app.state.value;
    if (!info?.searchable || info.changes === asked) return;
    asked = info.changes;
    wait.hidden = !!places;
    wait.textContent = 'Drawing the map';
    try {
      const found = await loadPlaces(
        done => {
          wait.textContent = `Drawing the map: ${Math.round(done * 100)} %`;
        },
        named => {
          if (places?.version !== named.version) return;
          places = named;
          colourDots();
        },
      );
      clear();
      const first = !places;
      places = found;
      wait.hidden = true;
      showLegend();
      if (first) camera = home();
      colourDots();
    } catch (error) {
      wait.hidden = false;
      wait.textContent = error instanceof Error ? error.message : String(error);
    }
  };
  app.state.on(['info'], () => void load());
  return { toggleLasso: () => setLassoing(!lassoing), clear };
}

/** Return the nearest dot on one side, of those that are not far off that way. */
function neighbour(places: Places, passes: Uint8Array, from: number, [a, b]: Point): number {
  let [best, least] = [from, Number.POSITIVE_INFINITY];
  for (let i = 0; i < places.count; i++) {
    const x = (places.x[i] as number) - (places.x[from] as number);
    const y = (places.y[i] as number) - (places.y[from] as number);
    const along = x * a + y * b;
    if (!passes[i] || along <= 1e-4) continue;
    const far = along + 2.5 * Math.abs(x * b - y * a);
    if (far < least) [best, least] = [i, far];
  }
  return best;
}

/** What floats beside a dot: name, folder, length and picture of its sound. */
function makeTip(context: Context) {
  const name = h('strong');
  const facts = h('p');
  const canvas = h('canvas', { 'aria-hidden': 'true' });
  const element = h('div.tip', { 'aria-live': 'polite', hidden: true }, name, facts, canvas);
  const show = (places: Places | null, i: number, at: Point | null, size: Size) => {
    element.hidden = !at;
    if (!places || !at) return;
    const folder = places.folders[places.folder[i] as number] ?? '';
    name.textContent = places.names[i] ?? '';
    facts.className = context.hueClass(folder);
    fill(facts, h('i.dot'), `${folderName(folder)}, ${length(places.seconds[i] as number)}`);
    element.style.left = `${Math.max(8, Math.min(size.width - 254, at[0] + 14))}px`;
    element.style.top = `${Math.max(8, Math.min(size.height - 106, at[1] + 14))}px`;
    const id = places.ids[i];
    if (id !== undefined) drawBark(canvas, id, 300, null).catch(() => undefined);
  };
  return { element, show };
}
