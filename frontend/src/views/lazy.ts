/** The map and the REPL: each a file of its own, loaded when it is first to be seen. */

import { byId, set } from '../lib/dom';
import type { MapView } from '../map/view';
import type { Repl } from '../repl/repl';
import { takeToken, token } from '../repl/token';
import type { Context } from './context';

/** The map, before and after it is there. */
export interface LazyMap {
  lasso: () => void;
  clear: () => boolean;
}

export function mountLazyMap(context: Context): LazyMap {
  const { app, preferences } = context;
  let view: MapView | null = null;
  let loading: Promise<MapView> | null = null;

  const load = () => {
    loading ??= import('../map/view').then(({ mountMap }) => {
      view = mountMap(context);
      return view;
    });
    return loading;
  };
  const show = () => {
    if (!byId('map').hidden && app.state.value.info?.searchable) void load();
  };
  preferences.on(['view'], () => queueMicrotask(show)); // after the view itself has changed
  app.state.on(['info'], show);
  addEventListener('resize', show);
  return {
    lasso: () => void load().then(map => map.toggleLasso()),
    clear: () => view?.clear() ?? false,
  };
}

/** The REPL beside the page, if the server has one. */
export function mountRepl(context: Context): { toggle: () => void } {
  const { app } = context;
  const section = byId('repl');
  const button = byId('repl-toggle');
  const given = takeToken();
  let repl: Promise<Repl> | null = null;

  const open = (now: boolean) => {
    section.hidden = !now;
    set(button, { 'aria-pressed': String(now) });
    if (!now) {
      button.focus();
      return;
    }
    repl ??= import('../repl/repl').then(({ mountRepl: mount }) =>
      mount(section, token(), () => open(false)),
    );
    void repl.then(it => it.focus());
  };
  const toggle = () => {
    if (app.state.value.info?.repl) open(section.hidden !== false);
  };
  button.addEventListener('click', toggle);
  let first = true;
  app.state.on(['info'], ({ info }) => {
    if (!info) return;
    button.hidden = !info.repl;
    if (first && info.repl && given) open(true);
    first = false;
  });
  return { toggle };
}
