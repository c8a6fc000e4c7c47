/** What the browser remembers of how the page is used; nothing else is kept there. */

import { Store } from './lib/store';

export type View = 'list' | 'both' | 'map';
export type Layout = 'rows' | 'cards';

export interface Preferences {
  theme: 'light' | 'dark' | null;
  view: View;
  layout: Layout;
  autoplay: boolean;
  loop: boolean;
  hover: boolean;
  volume: number;
}

const KEY = 'zounds';
const usual: Preferences = {
  theme: null,
  view: innerWidth >= 1900 ? 'both' : 'list',
  layout: 'rows',
  autoplay: true,
  loop: false,
  hover: true,
  volume: 0.85,
};

/** Read what was remembered, and remember every change. */
export function rememberedPreferences(): Store<Preferences> {
  const store = new Store<Preferences>({ ...usual, ...read() });
  store.on(Object.keys(usual) as (keyof Preferences)[], value => {
    const changed = Object.entries(value).filter(
      ([name, one]) => one !== usual[name as keyof Preferences],
    );
    try {
      localStorage.setItem(KEY, JSON.stringify(Object.fromEntries(changed)));
    } catch {
      // a browser that keeps nothing: the page works, and forgets
    }
  });
  return store;
}

function read(): Partial<Preferences> {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    if (!found || typeof found !== 'object') return {};
    const known = Object.entries(found).filter(([name, value]) => {
      const like = usual[name as keyof Preferences];
      return like !== undefined && (like === null || typeof value === typeof like);
    });
    return Object.fromEntries(known) as Partial<Preferences>;
  } catch {
    return {};
  }
}
