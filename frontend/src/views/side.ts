/** The sidebar: what may be found, and what was collected. */

import { byId, fill, h, icon, set } from '../lib/dom';
import { checked, type Folder, folderTree, pathWords, toggled } from '../lib/folders';
import { channelsName, count, grouped, kilohertz } from '../lib/format';
import { FAVOURITES } from '../sets';
import type { Context } from './context';
import { mountDuration } from './duration';
import { exportItems } from './exports';
import { askText, type Item, openMenu, tell } from './float';

/** A tree of more folders than this begins folded. */
const LARGE = 40;

export function mountSide(context: Context): { close: () => void } {
  mountFolders(context);
  mountDuration(context);
  mountPicks(context);
  mountSets(context);
  return mountSheet(context);
}

/** On a narrow window the sidebar is a sheet over the page. */
function mountSheet({ app }: Context): { close: () => void } {
  const side = byId('side');
  const button = byId('open-side');
  const open = (now: boolean) => {
    side.classList.toggle('open', now);
    set(button, { 'aria-expanded': String(now) });
    if (now) side.querySelector<HTMLElement>('input, button')?.focus();
  };
  button.addEventListener('click', () => open(!side.classList.contains('open')));
  addEventListener('pointerdown', event => {
    const target = event.target as HTMLElement;
    if (!target.closest('#side, #open-side, #menu, dialog')) open(false);
  });
  app.state.on(['info'], ({ info }) => side.classList.toggle('empty', info?.documents === 0));
  return { close: () => open(false) };
}

function mountFolders(context: Context): void {
  const { app } = context;
  const list = byId('folders');
  const opened = new Set<string>();
  let tree: Folder[] = [];
  let large = false;

  const item = (folder: Folder): HTMLElement => {
    const { filters } = app.state.value;
    const state = checked(folder, filters.folders);
    const box = h('input', { type: 'checkbox', 'aria-label': pathWords(folder.path) });
    box.checked = state === true;
    box.indeterminate = state === 'mixed';
    box.addEventListener('change', () => {
      app.filter({ folders: toggled(tree, app.state.value.filters.folders, folder.path) });
      focusAgain(folder.path);
    });
    const label = h(
      'label',
      { title: folder.path },
      box,
      h('span', {}, folder.name || 'Not in a folder'),
      h('small', {}, grouped(folder.count)),
    );
    const hue = context.hueClass(folder.path);
    if (hue) label.classList.add(hue);
    const one = h('li', { 'data-path': folder.path }, label);
    if (!folder.children.length) return one;
    const open = !large || opened.has(folder.path);
    if (large) {
      const fold = h('button.fold', { 'aria-expanded': String(open) }, '▶');
      set(fold, { 'aria-label': `Folders in ${folder.name}` });
      fold.addEventListener('click', () => {
        if (!opened.delete(folder.path)) opened.add(folder.path);
        show();
        find(folder.path)?.querySelector<HTMLElement>('.fold')?.focus();
      });
      one.prepend(fold);
    }
    if (open) one.append(h('ul', {}, ...folder.children.map(item)));
    return one;
  };
  const find = (path: string) => list.querySelector(`[data-path="${CSS.escape(path)}"]`);
  const focusAgain = (path: string) => find(path)?.querySelector<HTMLElement>('input')?.focus();
  const show = () => {
    fill(list, ...tree.map(item));
    byId('clear-folders').hidden = !app.state.value.filters.folders;
  };

  byId('clear-folders').addEventListener('click', () => app.filter({ folders: null }));
  app.state.on(['info'], ({ info }) => {
    tree = folderTree(info?.folders ?? []);
    large = (info?.folders.length ?? 0) > LARGE;
    show();
  });
  app.state.on(['filters'], show);
}

function mountPicks({ app }: Context): void {
  const mount = (
    id: string,
    known: () => { value: number; documents: number }[],
    words: (value: number) => string,
    name: 'samplerates' | 'channels',
  ) => {
    const section = byId(id);
    const picks = section.querySelector('.picks') as HTMLElement;
    app.state.on(['info', 'filters'], ({ filters }) => {
      const all = known();
      section.hidden = all.length < 2; // nothing to choose
      const focused = (document.activeElement as HTMLButtonElement | null)?.value;
      const within = picks.contains(document.activeElement);
      fill(
        picks,
        ...all.map(({ value, documents }) => {
          const on = filters[name].includes(value);
          const button = h('button', { 'aria-pressed': String(on), value }, words(value));
          button.title = count(documents);
          button.addEventListener('click', () => {
            const others = filters[name].filter(one => one !== value);
            app.filter({ [name]: on ? others : [...others, value] });
          });
          return button;
        }),
      );
      if (within) picks.querySelector<HTMLElement>(`[value="${focused}"]`)?.focus();
    });
  };
  const info = () => app.state.value.info;
  mount(
    'rates',
    () =>
      (info()?.samplerates ?? []).map(({ samplerate: value, documents }) => ({ value, documents })),
    kilohertz,
    'samplerates',
  );
  mount(
    'channels',
    () => (info()?.channels ?? []).map(({ channels: value, documents }) => ({ value, documents })),
    n => {
      const words = channelsName(n);
      return words.charAt(0).toUpperCase() + words.slice(1);
    },
    'channels',
  );
}

function mountSets(context: Context): void {
  const { app, sets } = context;
  const list = byId('sets');

  const show = () => {
    const { set: named } = app.state.value;
    const known = sets.value.sets.filter(one => one.name !== FAVOURITES);
    const all = [{ name: FAVOURITES, ids: sets.ids(FAVOURITES) }, ...known];
    fill(
      list,
      ...all.map(({ name, ids }) => {
        const button = h(
          'button',
          { 'aria-current': String(named === name), title: name },
          icon(name === FAVOURITES ? 'star' : 'folder'),
          h('span', {}, name),
          h('small', {}, grouped(ids.length)),
        );
        button.addEventListener('click', () => {
          if (named === name) app.leaveSet();
          else if (ids.length) void app.showSet(name, ids);
          else tell(`${name} is empty: the star beside a sound adds it.`);
        });
        return h('li', {}, button);
      }),
    );
  };
  sets.on(['sets'], show);
  app.state.on(['set'], show);

  byId('new-set').addEventListener('click', async () => {
    const name = await askText('Name of the new collection');
    if (name && (await sets.add(name, []))) tell(`“${name}” is there: add sounds to it`);
  });
  byId('export').addEventListener('click', () => openMenu(byId('export'), exportMenu(context)));
}

/** What is in the list can be exported, and a collection be deleted. */
function exportMenu({ app, sets }: Context): Item[] {
  const { entries, set: named } = app.state.value;
  const ids = [...new Set(entries.map(entry => entry.sound.id))];
  if (!ids.length) {
    tell('There is nothing in the list to export: search first, or choose a collection.');
    return [];
  }
  const items = exportItems(named ?? 'results', ids);
  if (named === null || !sets.value.sets.some(one => one.name === named)) return items;
  const remove = async () => {
    if (await sets.remove(named)) {
      app.leaveSet();
      tell(`“${named}” was deleted; its sounds were not`);
    }
  };
  return [...items, { icon: 'close', text: 'Delete the collection', run: () => void remove() }];
}
