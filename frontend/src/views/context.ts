/** What every view is given. */

import type { App } from '../app';
import type { Folder } from '../lib/folders';
import type { Store } from '../lib/store';
import type { Player } from '../player';
import type { Preferences } from '../preferences';
import type { Sets } from '../sets';

export interface Context {
  app: App;
  player: Player;
  preferences: Store<Preferences>;
  sets: Sets;
  /** The groups of folders that have a hue, and the class of a folder's. */
  hueGroups: () => readonly Folder[];
  hueClass: (folder: string) => string;
}
