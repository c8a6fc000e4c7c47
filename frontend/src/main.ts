/** The page: everything is made here, and knows of each other only what it is given. */

import './styles/tokens.css';
import './styles/base.css';
import './styles/shell.css';
import './styles/side.css';
import './styles/player.css';
import './styles/query.css';
import './styles/results.css';
import './styles/cards.css';
import './styles/panels.css';
import { App } from './app';
import { byId, choice, set, showIcons } from './lib/dom';
import { type Folder, folderTree, hueGroups, hueOf } from './lib/folders';
import { count } from './lib/format';
import { Player } from './player';
import { rememberedPreferences, type View } from './preferences';
import { Sets } from './sets';
import { mountTheme } from './theme';
import type { Context } from './views/context';
import { mountDrop } from './views/drop';
import { mountHead } from './views/head';
import { mountKeys } from './views/keys';
import { mountLazyMap, mountRepl } from './views/lazy';
import { mountList } from './views/list';
import { mountNotes } from './views/notes';
import { mountPanels } from './views/panels';
import { mountPlayback } from './views/playback';
import { mountQuery } from './views/query';
import { mountRecorder } from './views/recorder';
import { mountSide } from './views/side';

showIcons();
const preferences = rememberedPreferences();
const app = new App();
const player = new Player(preferences.value.volume);
const sets = new Sets();
let groups: readonly Folder[] = [];
app.state.on(['info'], ({ info }) => {
  groups = hueGroups(folderTree(info?.folders ?? []));
  byId('corpus').replaceChildren();
  if (!info) return;
  const name = document.createElement('b');
  name.textContent = info.name;
  const far = info.ingest ? ' so far' : '';
  byId('corpus').append(name, `, ${count(info.documents)}${far}`);
});
const context: Context = {
  app,
  player,
  preferences,
  sets,
  hueGroups: () => groups,
  hueClass: folder => {
    const hue = hueOf(folder, groups);
    return hue < 0 ? '' : `hue-${hue}`;
  },
};

// searching with something of one's own
const file = byId<HTMLInputElement>('file');
file.addEventListener('change', () => {
  const [chosen] = file.files ?? [];
  if (chosen) void app.upload(chosen, chosen.name);
  file.value = '';
});
const recorder = mountRecorder(context);
const ways = {
  open: () => file.click(),
  record: () => void recorder.start(),
  random: () =>
    void app.random().then(sound => {
      if (!sound || !preferences.value.autoplay) return;
      const span = [0, sound.seconds] as const;
      void player.play({
        key: 'query',
        id: sound.id,
        name: sound.name,
        span,
        seconds: sound.seconds,
      });
    }),
};
byId('ask-open').addEventListener('click', ways.open);
byId('ask-record').addEventListener('click', ways.record);
byId('ask-random').addEventListener('click', ways.random);
byId('home').addEventListener('click', event => {
  if (event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  app.home();
});

const text = byId<HTMLInputElement>('filter-text');
let typing = 0;
text.addEventListener('input', () => {
  clearTimeout(typing);
  typing = setTimeout(() => {
    typing = 0;
    app.filter({ text: text.value });
  }, 150);
});
app.state.on(['filters'], ({ filters }) => {
  if (!typing) text.value = filters.text;
});
app.state.on(['info'], ({ info }) => {
  const none = info?.documents === 0;
  byId<HTMLButtonElement>('ask-random').disabled = none;
  text.disabled = none;
});
app.state.on(['busy'], ({ busy }) => set(byId('results'), { 'aria-busy': String(busy) }));

// light or dark, list or map
mountTheme(preferences);
const showView = choice(byId('view'), view => preferences.set({ view: view as View }));
const wide = matchMedia('(min-width: 1081px)');
const showWork = () => {
  const { view: asked } = preferences.value;
  const view = asked === 'both' && !wide.matches ? 'list' : asked;
  showView(view);
  byId('work').dataset.view = view;
  byId('results').hidden = view === 'map';
  byId('map').hidden = view === 'list';
};
preferences.on(['view'], showWork);
wide.addEventListener('change', showWork);
const nextView = () => {
  const order: View[] = wide.matches ? ['list', 'both', 'map'] : ['list', 'map'];
  const at = order.indexOf(preferences.value.view);
  preferences.set({ view: order[(at + 1) % order.length] as View });
};
byId('phone-map').addEventListener('click', nextView);

const list = mountList(context);
mountHead(context);
const query = mountQuery(context);
const side = mountSide(context);
mountNotes(context);
mountPanels(context, ways);
mountPlayback(context, list);
mountDrop(context);
const map = mountLazyMap(context);
const repl = mountRepl(context);
mountKeys(context, list, {
  ...ways,
  nextView,
  lasso: () => {
    if (preferences.value.view === 'list') nextView();
    map.lasso();
  },
  toggleScope: query.toggleScope,
  toggleLike: query.toggleLike,
  playQuery: () => {
    const clip = query.clip();
    if (clip) player.toggle(clip);
  },
  repl: repl.toggle,
  close: () => {
    if (recorder.cancel() || map.clear()) return;
    side.close();
    if (app.state.value.refusal) app.dismiss();
    else if (app.state.value.set !== null) app.leaveSet();
  },
});

void sets.load();
void app.start();
