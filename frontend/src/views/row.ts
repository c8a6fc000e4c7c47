/** One sound of the list: the same element is a row and a card. */

import { type Entry, folderName, labelOf, nameHalves, partOf, timesOf } from '../entry';
import { api } from '../lib/api';
import { h, icon, iconButton, set } from '../lib/dom';
import { percent } from '../lib/format';
import { drawBark, drawWave } from '../pictures';

/** What can be done with a sound of the list. */
export interface RowDeeds {
  search: (entry: Entry) => void;
  vote: (entry: Entry, side: 'more' | 'less') => void;
  star: (entry: Entry) => void;
  more: (entry: Entry, button: HTMLElement) => void;
}

const buttons = new WeakMap<HTMLElement, Record<'more' | 'less' | 'star', HTMLElement>>();

/** Make the element of an entry; `drawRow` draws its pictures when it is to be seen. */
export function makeRow(
  entry: Entry,
  rank: number,
  hue: string,
  bits: number,
  deeds: RowDeeds,
): HTMLElement {
  const { sound, score, distance } = entry;
  const row = h('div.row', {
    role: 'row',
    'aria-rowindex': rank,
    'aria-label': labelOf(entry, rank),
    'aria-selected': 'false',
    'data-key': entry.key,
    tabindex: -1,
    draggable: 'true',
  });
  const cell = (name: string, ...children: (Node | string)[]) =>
    h(`div.${name}`, { role: 'gridcell' }, ...children);

  const play = h(
    'button.play',
    {
      'aria-label': `Play ${sound.name}`,
      'aria-pressed': 'false',
      'data-plays': entry.key,
      tabindex: -1,
    },
    icon('play'),
  );
  const [head, tail] = nameHalves(entry);
  const name = h('strong', { title: sound.name }, h('span', {}, head), h('span', {}, tail));
  const folder = h('p', {}, h('i.dot'), h('em', {}, folderName(sound.folder)));
  if (hue) folder.classList.add(hue);
  const wave = cell('c-wave', h('canvas'), h('div.playhead'), h('small', {}, timesOf(entry)));
  wave.title = entry.span ? 'Click: play the matching second' : 'Click: play';
  const like = cell('c-like');
  if (score !== null) {
    const shown = percent(score);
    const bar = h('i');
    bar.style.setProperty('--share', `${Math.max(4, shown)}%`);
    like.append(bar, h('b', {}, `${shown} %`));
    like.title = `${distance} of ${bits} bits differ`;
  }

  const act = (name: string, label: string, key: string, run: (button: HTMLElement) => void) => {
    const button = iconButton(
      name,
      label,
      event => {
        event.stopPropagation();
        run(button);
      },
      key,
    );
    button.tabIndex = -1;
    return button;
  };
  const similar = act('similar', 'Search with this', 'Enter', () => deeds.search(entry));
  const more = act('plus', 'More like this', '+', () => deeds.vote(entry, 'more'));
  const less = act('minus', 'Less like this', '-', () => deeds.vote(entry, 'less'));
  const star = act('star', 'Favourite', 'F', () => deeds.star(entry));
  const menu = act('more', 'More', '', button => deeds.more(entry, button));
  const grip = act('grip', 'Drag out to the desktop or a DAW', '', () => undefined);
  for (const button of [similar, more, less, menu]) button.classList.add('spare');
  for (const button of [more, less]) button.classList.add('vote');
  star.classList.add('favourite');
  grip.classList.add('grip');
  set(menu, { 'aria-haspopup': 'menu' });
  buttons.set(row, { more, less, star });

  row.append(
    cell('c-rank', String(rank)),
    cell('c-play', play),
    cell('c-name', name, folder),
    wave,
    cell('c-bark', h('canvas')),
    like,
    cell('c-acts', similar, more, less, star, menu, grip),
  );
  row.addEventListener('dragstart', event => {
    row.classList.add('dragged');
    const address = new URL(api.file(sound.id), location.href).href;
    const safe = sound.name.replace(/[:/\\]/g, '_');
    event.dataTransfer?.setData('DownloadURL', `application/octet-stream:${safe}:${address}`);
    event.dataTransfer?.setData('text/uri-list', address);
    event.dataTransfer?.setData('text/plain', sound.path ?? sound.name);
    event.dataTransfer?.setData('application/x-zounds', entry.key);
  });
  row.addEventListener('dragend', () => row.classList.remove('dragged'));
  return row;
}

/** Draw the wave and the Bark picture of a row. */
export async function drawRow(row: HTMLElement, entry: Entry): Promise<void> {
  const [wave, bark] = [...row.querySelectorAll('canvas')] as [
    HTMLCanvasElement,
    HTMLCanvasElement,
  ];
  const part = partOf(entry);
  const jobs = [drawWave(wave, entry.sound.id, 600, part)];
  if (bark.clientWidth) jobs.push(drawBark(bark, entry.sound.id, 300, part));
  await Promise.allSettled(jobs); // a sound without pictures is still a sound
}

/** Show how a sound was voted, and whether it is a favourite. */
export function markRow(
  row: HTMLElement,
  is: { more: boolean; less: boolean; star: boolean },
): void {
  const known = buttons.get(row);
  if (!known) return;
  for (const name of ['more', 'less', 'star'] as const)
    set(known[name], { 'aria-pressed': String(is[name]) });
}
