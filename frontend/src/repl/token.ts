/** The token that the REPL asks for: it came in the address, after the hash. */

const KEY = 'zounds-token';

/** Keep the token of the address for this tab, and take it out, so that it is not shared with it. */
export function takeToken(): boolean {
  const given = /^#token=(.+)$/.exec(location.hash)?.[1];
  if (given === undefined) return false;
  sessionStorage.setItem(KEY, decodeURIComponent(given));
  history.replaceState(history.state, '', location.pathname + location.search);
  return true;
}

/** Return the token; empty if this tab was opened without one. */
export const token = (): string => sessionStorage.getItem(KEY) ?? '';
