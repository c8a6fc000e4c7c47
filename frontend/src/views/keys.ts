/** One hand on the keyboard: what each key does, and the list of them. */

import { placeOf } from '../entry';
import { byId, h, takesText } from '../lib/dom';
import { moveTo } from '../lib/moves';
import type { Context } from './context';
import { copyPath, type List } from './list';

/** What keys can start beyond the list itself. */
export interface Deeds {
  open: () => void;
  record: () => void;
  random: () => void;
  nextView: () => void;
  lasso: () => void;
  toggleScope: () => void;
  toggleLike: () => void;
  playQuery: () => void;
  repl: () => void;
  close: () => void;
}

const SHOWN: [string, ...string[]][] = [
  ['Next, previous sound', '↓', '↑'],
  ['Play or stop', 'Space'],
  ['Search with it', 'Enter'],
  ['More like, less like', '+', '-'],
  ['Favourite', 'F'],
  ['Copy path', 'C'],
  ['Open a sound', 'O'],
  ['Record', 'R'],
  ['Random sound', 'X'],
  ['Filter', '/'],
  ['List, both, map', 'V'],
  ['Lasso on the map', 'L'],
  ['Region or whole sound', 'W'],
  ['Same kind or same sound', 'S'],
  ['Play the query', 'Q'],
  ['REPL', '`'],
  ['Autoplay', 'A'],
  ['Stop, close, clear', 'Esc'],
  ['This list', '?'],
];

export function mountKeys(context: Context, list: List, deeds: Deeds): void {
  const { app, player, preferences, sets } = context;
  const dialog = byId<HTMLDialogElement>('keys');
  const text = byId<HTMLInputElement>('filter-text');
  dialog
    .querySelector('dl')
    ?.append(
      ...SHOWN.map(([words, ...keys]) =>
        h('div', {}, h('dt', {}, words), h('dd', {}, ...keys.map(key => h('kbd', {}, key)))),
      ),
    );
  byId('show-keys').addEventListener('click', () => dialog.showModal());

  const withSelected = (run: (entry: NonNullable<typeof app.selected>) => void) => () => {
    if (app.selected) run(app.selected);
  };
  const keys: Record<string, () => void> = {
    '+': withSelected(entry => app.vote(entry, 'more')),
    '=': withSelected(entry => app.vote(entry, 'more')),
    '-': withSelected(entry => app.vote(entry, 'less')),
    f: withSelected(entry => void sets.toggleFavourite(entry.sound.id)),
    c: withSelected(entry => void copyPath(entry)),
    o: deeds.open,
    r: deeds.record,
    x: deeds.random,
    '/': () => text.focus(),
    v: deeds.nextView,
    l: deeds.lasso,
    w: deeds.toggleScope,
    s: deeds.toggleLike,
    q: deeds.playQuery,
    a: () => preferences.set({ autoplay: !preferences.value.autoplay }),
    '`': deeds.repl,
    '?': () => dialog.showModal(),
    Escape: () => {
      if (player.value.clip) player.stop();
      else deeds.close();
    },
  };
  const onButton: Record<string, () => void> = {
    ' ': () => (player.value.clip ? player.stop() : list.play()),
    Enter: withSelected(entry => app.open(placeOf(entry), entry.sound)),
  };

  addEventListener('keydown', event => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (document.querySelector('dialog[open]')) return;
    const target = event.target as HTMLElement;
    if (takesText(target)) {
      const leaves = event.key === 'Escape' || event.key === 'ArrowDown' || event.key === 'Enter';
      if (target !== text || !leaves) return;
      event.preventDefault();
      text.blur();
      list.focus();
      return;
    }
    // a slider or a box has keys of its own, and letters are none of them
    const isLetter = event.key.length === 1 && event.key !== ' ';
    if (target.matches('input') && !isLetter && event.key !== 'Escape') return;
    const { entries, selected } = app.state.value;
    const moved = moveTo(event.key, selected, entries.length, list.columns());
    const run = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    const pressable = target.closest('button, a, summary, audio, [role=slider]');
    if (moved !== null) list.pick(moved, preferences.value.autoplay);
    else if (run) run();
    else if (onButton[event.key] && !pressable) onButton[event.key]?.();
    else return;
    event.preventDefault();
  });
}
