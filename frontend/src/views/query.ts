/** The query: its name, wave and Bark picture, its code, and what is mixed into it. */

import { folderName } from '../entry';
import type { Like, Place } from '../lib/address';
import { surface } from '../lib/canvas';
import { bitsOf, differences, shortCode } from '../lib/code';
import { byId, choice, fill, h, icon, iconButton, set } from '../lib/dom';
import { channelsName, halves, kilohertz, length } from '../lib/format';
import { isWhole, suggested } from '../lib/region';
import type { Clip } from '../player';
import { FAVOURITES } from '../sets';
import { colour, onTheme } from '../theme';
import type { Context } from './context';
import { copy } from './float';
import { mountStrip } from './strip';

/** Show the query, and return what to play of it. */
export function mountQuery(context: Context): {
  clip: () => Clip | null;
  toggleScope: () => void;
  toggleLike: () => void;
} {
  const { app, player, sets } = context;
  const star = byId<HTMLButtonElement>('query-star');
  const strip = mountStrip(context);

  const clip = (): Clip | null => {
    const { sound, address } = app.state.value;
    if (!sound) return null;
    const span = address.sound?.span ?? [0, sound.seconds];
    return { key: 'query', id: sound.id, name: sound.name, span, seconds: sound.seconds };
  };
  const setScope = (value: string) => {
    const { sound } = app.state.value;
    if (sound) app.narrow(value === 'region' ? suggested(sound.seconds) : null);
  };
  const showScope = choice(byId('scope'), setScope);
  const showLike = choice(byId('like'), value => app.compare(value as Like));

  byId('query-play').addEventListener('click', () => {
    const playing = clip();
    if (playing) player.toggle(playing);
  });
  byId('query-link').addEventListener('click', () => void copy(location.href, 'Link'));
  star.addEventListener('click', () => {
    const { sound } = app.state.value;
    if (sound) void sets.toggleFavourite(sound.id);
  });

  app.state.on(['sound', 'address', 'code', 'info'], ({ sound, address, code, info }) => {
    const asked = !!(address.code || address.sound);
    const section = byId('query');
    section.hidden = !asked || (!sound && !code);
    section.classList.toggle('code-only', !sound);
    byId('strip').hidden = byId('scope').hidden = byId('query-play').hidden = !sound;
    star.hidden = !sound || sound.id.startsWith('upload-');
    byId('query-name').textContent = sound?.name ?? 'A code, without its sound';
    byId('query-name').title = sound?.path ?? sound?.name ?? '';
    byId('query-facts').textContent = sound
      ? [
          sound.id.startsWith('upload-')
            ? 'your sound, not in the corpus'
            : folderName(sound.folder).replaceAll('/', ' / '),
          length(sound.seconds),
          kilohertz(sound.samplerate),
          channelsName(sound.channels),
        ].join('   ')
      : 'No sound has exactly this code.';
    document.title = sound ? `${sound.name}, zounds` : 'zounds';
    const whole = !sound || isWhole(address.sound?.span ?? null, sound.seconds);
    showScope(whole ? 'whole' : 'region');
    showLike(address.like ?? 'kind');
    byId('like').hidden = !sound || !info?.likes.length;
    strip.show();
  });
  sets.on(['sets'], () => {
    const { sound } = app.state.value;
    set(star, { 'aria-pressed': String(!!sound && sets.isFavourite(sound.id)) });
    star.title = FAVOURITES;
  });
  app.state.on(['sound'], ({ sound }) =>
    set(star, { 'aria-pressed': String(!!sound && sets.isFavourite(sound.id)) }),
  );
  mountCode(context);
  mountMix(context);
  return {
    clip,
    toggleScope: () => {
      const { address } = app.state.value;
      setScope(address.sound?.span ? 'whole' : 'region');
    },
    toggleLike: () => {
      if (!byId('like').hidden) app.compare(app.state.value.address.like ? 'kind' : 'same');
    },
  };
}

/** The code as 16 by 8 dots: large for 1, small for 0, orange where the selected sound differs. */
function mountCode({ app }: Context): void {
  const [canvas, button, words] = [...byId('code').children] as [
    HTMLCanvasElement,
    HTMLButtonElement,
    HTMLElement,
  ];
  button.append(icon('copy'));
  button.addEventListener('click', () => void copy(app.state.value.code ?? '', 'Code'));

  const draw = () => {
    const { code, entries, selected, set: named } = app.state.value;
    const bits = code ? bitsOf(code) : null;
    const on = bits && surface(canvas);
    if (!bits || !on) return;
    const entry = entries[selected];
    const other = entry?.sound.code ? bitsOf(entry.sound.code) : null;
    const differ = other?.length === bits.length ? differences(bits, other) : new Set<number>();
    const { context, width, height } = on;
    const rows = Math.ceil(bits.length / 16);
    const unit = Math.min(width / 16, height / rows);
    bits.forEach((bit, i) => {
      context.fillStyle = colour(differ.has(i) ? 'hit' : bit ? 'wave-2' : 'wave');
      context.beginPath();
      context.arc(
        ((i % 16) + 0.5) * unit,
        (Math.floor(i / 16) + 0.5) * unit,
        unit * (bit ? 0.34 : 0.15),
        0,
        7,
      );
      context.fill();
    });
    set(canvas, { 'aria-label': `The query's code, ${bits.length} bits` });
    (button.firstElementChild as HTMLElement).textContent = shortCode(code ?? '');
    words.textContent = !other
      ? `${bits.length} bits`
      : `${differ.size} of ${bits.length} bits differ from ${named ? 'the selected sound' : `sound ${selected + 1}`}`;
  };
  app.state.on(['code', 'entries', 'selected'], draw);
  onTheme(draw);
  new ResizeObserver(draw).observe(canvas);
}

/** Chips of the sounds that the query is mixed with: solid for more, dashed for less. */
function mountMix({ app, player }: Context): void {
  const mix = byId('mix');
  const chip = (place: Place, side: 'more' | 'less') => {
    const sound = app.voted.get(place.id);
    const name = sound?.name ?? place.id;
    const [head, tail] = halves(name);
    const label = h('span', { title: name }, head + tail);
    const away = iconButton('close', `Remove ${name}`, () => {
      if (sound) app.vote({ key: '', sound, span: place.span, distance: null, score: null }, side);
    });
    away.className = '';
    const made = h(
      `span.chip${side === 'less' ? '.less' : ''}` as 'span',
      {},
      icon(side === 'more' ? 'plus' : 'minus'),
      label,
      away,
    );
    label.addEventListener('click', () => {
      if (!sound) return;
      const span = place.span ?? ([0, sound.seconds] as const);
      player.toggle({ key: `mix ${place.id}`, id: place.id, name, span, seconds: sound.seconds });
    });
    return made;
  };
  app.state.on(['address', 'entries'], ({ address: { more, less } }) => {
    mix.hidden = !more.length && !less.length;
    fill(
      mix,
      more.length > 0 && h('span', {}, 'More like'),
      ...more.map(place => chip(place, 'more')),
      less.length > 0 && h('span', {}, 'Less like'),
      ...less.map(place => chip(place, 'less')),
    );
  });
}
