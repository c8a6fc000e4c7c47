/** What shows that something plays: buttons, playheads, and the bar at the foot of the page. */

import { byId, changeIcon, set } from '../lib/dom';
import { clock, length } from '../lib/format';
import type { Clip } from '../player';
import type { Context } from './context';
import type { List } from './list';

export function mountPlayback({ app, player, preferences }: Context, list: List): void {
  const name = byId('now');
  const time = byId('now-time');
  const toggle = byId<HTMLButtonElement>('toggle');
  const volume = byId<HTMLInputElement>('volume');
  let line: HTMLElement | null = null;
  let pressed: HTMLElement[] = [];

  const press = (button: HTMLElement, on: boolean) => {
    set(button, { 'aria-pressed': String(on) });
    changeIcon(button, on ? 'stop' : 'play');
  };
  const follow = () => {
    const { clip } = player.value;
    if (!clip) return;
    const at = player.position;
    // rows come and go while it plays, so the line is looked for each time it is gone
    if (!line?.isConnected) line = findLine(clip);
    if (at !== null) {
      time.textContent = `${clock(at)} of ${length(clip.seconds)}`;
      if (line?.parentElement) {
        const x = (at / clip.seconds) * line.parentElement.clientWidth;
        line.style.opacity = '1';
        line.style.transform = `translateX(${x.toFixed(1)}px)`;
      }
    }
    requestAnimationFrame(follow);
  };
  const show = () => {
    const { clip, fault } = player.value;
    if (line) line.style.opacity = '0';
    line = null;
    for (const button of pressed) press(button, false);
    pressed = clip ? playButtons(clip) : [];
    for (const button of [...pressed]) press(button, true);
    press(toggle, !!clip);
    set(toggle, { 'aria-label': clip ? 'Stop' : 'Play' });
    name.textContent = clip?.name ?? (fault || 'Nothing playing');
    name.title = name.textContent;
    name.classList.toggle('bad', !!fault);
    if (clip) requestAnimationFrame(follow);
    else time.textContent = '';
  };
  player.on(['clip', 'fault'], show);
  app.state.on(['entries'], () => player.value.clip && show());

  toggle.addEventListener('click', () => (player.value.clip ? player.stop() : list.play()));
  byId('previous').addEventListener('click', () => list.pick(app.state.value.selected - 1, true));
  byId('next').addEventListener('click', () => list.pick(app.state.value.selected + 1, true));
  for (const which of ['autoplay', 'loop'] as const) {
    const button = byId(which);
    button.addEventListener('click', () => preferences.set({ [which]: !preferences.value[which] }));
    preferences.on([which], value => set(button, { 'aria-checked': String(value[which]) }));
  }
  preferences.on(['loop'], ({ loop }) => {
    player.loop = loop;
  });
  preferences.on(['volume'], value => {
    player.volume = value.volume;
    volume.value = String(Math.round(value.volume * 100));
  });
  volume.addEventListener('input', () => preferences.set({ volume: Number(volume.value) / 100 }));
  app.state.on(['entries'], ({ entries }) => {
    for (const id of ['previous', 'toggle', 'next'])
      byId<HTMLButtonElement>(id).disabled = !entries.length && !player.value.clip;
  });
}

const playButtons = (clip: Clip): HTMLElement[] => [
  ...document.querySelectorAll<HTMLElement>(`[data-plays="${CSS.escape(clip.key)}"]`),
];

function findLine(clip: Clip): HTMLElement | null {
  if (clip.key === 'query') return document.querySelector('#strip .playhead');
  return document.querySelector(`.row[data-key="${CSS.escape(clip.key)}"] .playhead`);
}
