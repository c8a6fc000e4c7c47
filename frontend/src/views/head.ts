/** What stands over the list: how many there are, and what holds for them. */

import { byId, choice, fill, h, iconButton } from '../lib/dom';
import { held } from '../lib/filters';
import { count } from '../lib/format';
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
    const chips: [string, () => void][] = held(filters).map(({ words, removed }) => [
      words,
      () => app.filter(removed),
    ]);
    if (named !== null) chips.unshift([named, () => app.leaveSet()]);
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

async function saveSet({ app, sets }: Context): Promise<void> {
  const ids = app.state.value.entries.map(entry => entry.sound.id);
  const name = await askText(`Save ${count(ids.length)} as a collection. Its name:`);
  if (name && (await sets.save(name, [...new Set(ids)])))
    tell(`Saved ${count(ids.length)} as “${name}”`);
}
