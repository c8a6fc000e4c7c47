/** What stands over the list: how many there are, and what holds for them. */

import { byId, choice, fill, h, iconButton } from '../lib/dom';
import { channelsName, count, kilohertz, length } from '../lib/format';
import type { Context } from './context';
import { askText, tell } from './float';

/** How many there are, which filters hold, and what to do with all of them. */
export function mountHead(context: Context): void {
  const { app, preferences, sets } = context;
  const showLayout = choice(byId('layout'), layout =>
    preferences.set({ layout: layout as 'rows' | 'cards' }),
  );
  preferences.on(['layout'], ({ layout }) => showLayout(layout));

  app.state.on(['entries', 'set', 'address'], ({ entries, set: named, address }) => {
    const shown = named !== null || !!(address.code || address.sound);
    byId('results-head').hidden = !shown;
    fill(
      byId('count'),
      `${count(entries.length)} `,
      h('span', {}, named === null ? 'nearest first' : `in ${named}`),
    );
    byId<HTMLButtonElement>('save-set').disabled = !entries.length;
  });
  byId('save-set').addEventListener('click', () => void saveSet(context));

  app.state.on(['filters', 'set'], ({ filters, set: named }) => {
    const chips: [string, () => void][] = [];
    if (named !== null) chips.push([named, () => app.leaveSet()]);
    if (filters.folders) {
      const [only] = filters.folders;
      const words =
        filters.folders.length === 1 ? (only ?? '') : count(filters.folders.length, 'folder');
      chips.push([words, () => app.filter({ folders: null })]);
    }
    if (filters.seconds)
      chips.push([durationWords(filters.seconds), () => app.filter({ seconds: null })]);
    for (const rate of filters.samplerates)
      chips.push([
        kilohertz(rate),
        () => app.filter({ samplerates: filters.samplerates.filter(one => one !== rate) }),
      ]);
    for (const n of filters.channels)
      chips.push([
        channelsName(n),
        () => app.filter({ channels: filters.channels.filter(one => one !== n) }),
      ]);
    if (filters.text.trim())
      chips.push([`“${filters.text.trim()}”`, () => app.filter({ text: '' })]);
    fill(
      byId('facets'),
      ...chips.map(([words, remove]) => {
        const away = iconButton('close', `Remove filter ${words}`, remove);
        away.className = '';
        return h('span.chip', {}, h('span', {}, words), away);
      }),
    );
  });
  sets.onTold = tell;
}

/** "under 0.2 s", "over 3.0 s", "0.2 to 3.0 s". */
export function durationWords([least, most]: readonly [number, number]): string {
  const words = (seconds: number) => length(seconds).replace(/(\.\d)\d s/, '$1 s');
  if (least <= 0) return `under ${words(most)}`;
  if (most === Number.POSITIVE_INFINITY) return `over ${words(least)}`;
  return `${words(least)} to ${words(most)}`;
}

async function saveSet({ app, sets }: Context): Promise<void> {
  const ids = app.state.value.entries.map(entry => entry.sound.id);
  const name = await askText(`Save ${count(ids.length)} as a collection. Its name:`);
  if (name && (await sets.save(name, [...new Set(ids)])))
    tell(`Saved ${count(ids.length)} as “${name}”`);
}
