/** The list of sounds: rows or cards, one of them selected. */

import { clipOf, type Entry, placeOf } from '../entry';
import { type Address, nothing, samePlace, writeAddress } from '../lib/address';
import { api } from '../lib/api';
import { byId, fill, h, set } from '../lib/dom';
import { noFilters } from '../lib/filters';
import { onTheme } from '../theme';
import type { Context } from './context';
import { download } from './exports';
import { askText, copy, openMenu, tell } from './float';
import { drawRow, makeRow, markRow, type RowDeeds } from './row';

/** How many rows are made at once; more come when the end is near. */
const BATCH = 60;
/** How far before the edge of the window pictures are drawn. */
const MARGIN = '600px 0px';
/** How many neighbours of the selected sound are made ready to be heard. */
const READY = 3;

export interface List {
  /** Select a sound, bring it into view, and play it if asked to. */
  pick: (index: number, play: boolean) => void;
  /** Play the selected sound. */
  play: () => void;
  columns: () => number;
  focus: () => void;
}

export function mountList(context: Context): List {
  const { app, player, preferences, sets } = context;
  const list = byId('list');
  const end = h('div');
  const made: HTMLElement[] = [];
  let entries: readonly Entry[] = [];
  let marked = -1;

  const deeds: RowDeeds = {
    search: entry => app.open(placeOf(entry), entry.sound),
    vote: (entry, side) => app.vote(entry, side),
    star: entry => void sets.toggleFavourite(entry.sound.id),
    more: (entry, button) => openMenu(button, menuOf(context, entry)),
  };
  const seen = new IntersectionObserver(
    changes => {
      for (const { target, isIntersecting } of changes) {
        const row = target as HTMLElement;
        const entry = entries[made.indexOf(row)];
        if (isIntersecting && entry) {
          seen.unobserve(row);
          void drawRow(row, entry);
        }
      }
    },
    { rootMargin: MARGIN },
  );
  const near = new IntersectionObserver(changes => changes[0]?.isIntersecting && grow(), {
    rootMargin: '1200px 0px',
  });

  const mark = (row: HTMLElement, entry: Entry) => {
    const { more, less } = app.state.value.address;
    const place = placeOf(entry);
    markRow(row, {
      more: more.some(one => samePlace(one, place)),
      less: less.some(one => samePlace(one, place)),
      star: sets.isFavourite(entry.sound.id),
    });
  };
  const markAll = () => {
    for (const [i, row] of made.entries()) mark(row, entries[i] as Entry);
  };
  const grow = (least = made.length + BATCH) => {
    const bits = app.state.value.info?.bits ?? 0;
    const rows = entries.slice(made.length, least).map((entry, i) => {
      const hue = context.hueClass(entry.sound.folder);
      const row = makeRow(entry, made.length + i + 1, hue, bits, deeds);
      mark(row, entry);
      seen.observe(row);
      return row;
    });
    made.push(...rows);
    end.before(...rows);
    if (made.length >= entries.length) end.remove();
  };
  const redraw = () => {
    for (const row of made) {
      seen.unobserve(row);
      seen.observe(row);
    }
  };
  const show = () => {
    const focused = list.contains(document.activeElement);
    seen.disconnect();
    made.length = 0;
    marked = -1;
    entries = app.state.value.entries;
    fill(list, end);
    set(list, { 'aria-rowcount': entries.length });
    grow(Math.max(BATCH, app.state.value.selected + 1));
    near.disconnect();
    near.observe(end);
    select();
    if (focused) made[app.state.value.selected]?.focus({ preventScroll: true });
  };
  const select = () => {
    const { selected } = app.state.value;
    if (selected >= made.length) grow(selected + BATCH);
    const [before, now] = [made[marked], made[selected]];
    if (before) set(before, { 'aria-selected': 'false', tabindex: -1 });
    if (now) set(now, { 'aria-selected': 'true', tabindex: 0 });
    marked = selected;
    const close = entries.slice(Math.max(0, selected - READY), selected + READY + 1);
    // the selected one first, then what the arrow keys lead to
    const order = [...close].sort(
      (a, b) => Math.abs(entries.indexOf(a) - selected) - Math.abs(entries.indexOf(b) - selected),
    );
    player.prefetch(order.map(clipOf));
  };

  const play = () => {
    const entry = app.selected;
    if (entry) void player.play(clipOf(entry));
  };
  const pick = (index: number, hear: boolean) => {
    if (!entries.length) return;
    app.select(Math.max(0, Math.min(entries.length - 1, index)));
    const row = made[app.state.value.selected];
    if (row && !row.contains(document.activeElement)) row.focus({ preventScroll: true });
    row?.scrollIntoView({ block: 'nearest' });
    if (hear) play();
  };

  list.addEventListener('click', event => {
    const target = event.target as HTMLElement;
    const row = target.closest<HTMLElement>('.row');
    const index = row ? made.indexOf(row) : -1;
    const entry = entries[index];
    if (!entry) return;
    const button = target.closest('.play');
    const touched = event instanceof PointerEvent && event.pointerType === 'touch';
    pick(index, false);
    if (button) player.toggle(clipOf(entry));
    else if (touched || target.closest('.c-wave, .c-bark')) void player.play(clipOf(entry));
  });
  list.addEventListener('dblclick', event => {
    const row = (event.target as HTMLElement).closest<HTMLElement>('.row');
    const entry = row && entries[made.indexOf(row)];
    if (entry && !(event.target as HTMLElement).closest('button')) deeds.search(entry);
  });
  list.addEventListener('focusin', event => {
    const row = (event.target as HTMLElement).closest<HTMLElement>('.row');
    const index = row ? made.indexOf(row) : -1;
    if (index >= 0 && index !== app.state.value.selected) app.select(index);
  });

  app.state.on(['entries'], show);
  app.state.on(['selected'], select);
  app.state.on(['address'], markAll);
  sets.on(['sets'], markAll);
  preferences.on(['layout'], ({ layout }) => {
    list.classList.toggle('cards', layout === 'cards');
    redraw();
  });
  onTheme(redraw);
  let width = 0;
  new ResizeObserver(() => {
    if (list.clientWidth !== width && list.clientWidth) redraw();
    width = list.clientWidth;
  }).observe(list);
  mountVisits(context, list);

  return {
    pick,
    play,
    columns: () =>
      list.classList.contains('cards')
        ? getComputedStyle(list).gridTemplateColumns.split(' ').length
        : 1,
    focus: () => made[app.state.value.selected]?.focus(),
  };
}

/** Keep where one is in the list with the history, and go there again. */
function mountVisits({ app }: Context, list: HTMLElement): void {
  const scroller = () =>
    list.scrollHeight > list.clientHeight + 1 ? list : document.documentElement;
  let saving = 0;
  const save = () => {
    clearTimeout(saving);
    saving = setTimeout(() => app.remember(), 200);
  };
  app.scrolled = () => scroller().scrollTop;
  app.onArrival = scroll => {
    clearTimeout(saving);
    scroller().scrollTop = scroll;
  };
  app.state.on(['selected'], save);
  list.addEventListener('scroll', save, { passive: true });
  addEventListener('scroll', save, { passive: true });
}

function menuOf(context: Context, entry: Entry) {
  const { app, sets, preferences } = context;
  const { sound } = entry;
  const add = async () => {
    const name = await askText('Add it to which collection?', lastSet(context));
    if (name && (await sets.add(name, [sound.id]))) tell(`Added to “${name}”`);
  };
  return [
    { icon: 'copy', text: 'Copy path', run: () => void copyPath(entry) },
    {
      icon: 'link',
      text: 'Copy link',
      run: () => void copy(location.origin + linkTo(entry, app.state.value.address.like), 'Link'),
    },
    { icon: 'download', text: 'Download', run: () => download(api.file(sound.id)) },
    { icon: 'folder', text: 'Add to collection', run: () => void add() },
    {
      icon: 'map',
      text: 'Show on map',
      run: () => {
        app.select(app.state.value.entries.indexOf(entry));
        preferences.set({ view: innerWidth > 1080 ? 'both' : 'map' });
      },
    },
  ];
}

/** Return the address that finds a sound, in the way in which its code was compared. */
const linkTo = ({ sound }: Entry, like: Address['like']): string =>
  writeAddress({ ...nothing, code: sound.code, like }, noFilters);

/** Put the path of a sound on the clipboard; what has none has an address. */
export const copyPath = ({ sound }: Entry): Promise<void> =>
  copy(sound.path ?? sound.uri, sound.path ? 'Path' : 'Address');

const lastSet = ({ sets }: Context): string => sets.value.sets.at(-1)?.name ?? '';
