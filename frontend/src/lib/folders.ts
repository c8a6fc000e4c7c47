/** The tree of folders in the sidebar, and their hues. */

/** A folder with the sounds in it and below it, or with those only that are directly in one. */
export interface Folder {
  /** As filters have it: `drums` is all below it, too, and `drums/.` what is directly in it. */
  path: string;
  /** What stands in the tree: the path below its parent there. */
  name: string;
  /** How many sounds are in it or below. */
  count: number;
  children: Folder[];
}

export interface FolderCount {
  folder: string;
  documents: number;
}

/** No folder has this path: a filter that lets pass what is in no folder at all. */
export const NO_FOLDER = '/';

/** How many groups of folders have a hue of their own; the rest share a grey. */
export const HUES = 9;

/** Make a tree of folders; what only leads to one other is folded into it. */
export function folderTree(counts: readonly FolderCount[]): Folder[] {
  const root: Folder = { path: '', name: '', count: 0, children: [] };
  for (const { folder, documents } of counts) {
    let at = root;
    const parts = folder ? folder.split('/') : [];
    parts.forEach((name, i) => {
      const path = parts.slice(0, i + 1).join('/');
      let child = at.children.find(one => one.path === path);
      if (!child) {
        child = { path, name, count: 0, children: [] };
        at.children.push(child);
      }
      child.count += documents;
      at = child;
    });
    const path = folder ? `${folder}/.` : '.';
    const name = folder ? `${parts.at(-1)} itself` : 'Not in a folder';
    if (documents) at.children.push({ path, name, count: documents, children: [] });
  }
  return root.children
    .map(folded)
    .filter(folder => folder.count)
    .sort(byName);
}

function folded(folder: Folder): Folder {
  const children = folder.children.filter(child => child.count);
  const only = children.length === 1 ? children[0] : undefined;
  if (only) {
    if (isOwn(only)) return { ...folder, children: [] };
    return folded({ ...only, name: `${folder.name}/${only.name}` });
  }
  return { ...folder, children: children.map(folded).sort(byName) };
}

const isOwn = ({ path }: Folder): boolean => path === '.' || path.endsWith('/.');

/** What is directly in a folder comes after the folders in it. */
const byName = (a: Folder, b: Folder): number =>
  Number(isOwn(a)) - Number(isOwn(b)) || a.name.localeCompare(b.name, 'en', { numeric: true });

/**
 * Divide a tree into at most `HUES` groups, in the order of the tree: the largest folder is divided
 * into those below it for as long as there are hues.
 */
export function hueGroups(tree: readonly Folder[]): Folder[] {
  let groups = [...tree];
  for (;;) {
    const next = groups
      .filter(group => group.children.length && groups.length - 1 + group.children.length <= HUES)
      .sort((a, b) => b.count - a.count)[0];
    if (!next) break;
    groups = groups.flatMap(group => (group === next ? next.children : [group]));
  }
  if (groups.length <= HUES) return groups;
  const least = groups.map(group => group.count).sort((a, b) => b - a)[HUES - 1] as number;
  return groups.filter(group => group.count >= least).slice(0, HUES);
}

/** Say whether a path is the other one, or below it. */
const isBelow = (path: string, other: string): boolean =>
  !other || path === other || path.startsWith(`${other}/`);

/** Say whether the sounds of a folder are among those that a path stands for. */
export const isIn = (folder: string, path: string): boolean =>
  isBelow(folder ? `${folder}/.` : '.', path);

/** Name what a path stands for. */
export const pathWords = (path: string): string =>
  path === '.' ? 'no folder' : path.endsWith('/.') ? `${path.slice(0, -2)} itself` : path;

/** Return the hue of a path or a folder: that of the nearest group it is in; -1 for the grey. */
export function hueOf(folder: string, groups: readonly Folder[]): number {
  let best = -1;
  groups.forEach((group, i) => {
    const longer = best < 0 || group.path.length > (groups[best] as Folder).path.length;
    if (isIn(folder, group.path) && longer) best = i;
  });
  return best;
}

/** How much of a folder passes: all, none, or some of it. */
export function checked(folder: Folder, allowed: readonly string[] | null): boolean | 'mixed' {
  if (!allowed || allowed.some(path => isBelow(folder.path, path))) return true;
  return allowed.some(path => isBelow(path, folder.path)) ? 'mixed' : false;
}

/** Let a folder pass, or no more; null stands for all of them. */
export function toggled(
  tree: readonly Folder[],
  allowed: readonly string[] | null,
  path: string,
): string[] | null {
  const at = checkedPath(tree, allowed, path);
  const next = tree.flatMap(folder => cover(folder, allowed, path, !at));
  const all = tree.every(folder => next.includes(folder.path));
  return all ? null : next;
}

function checkedPath(
  tree: readonly Folder[],
  allowed: readonly string[] | null,
  path: string,
): boolean {
  for (const folder of tree) {
    if (folder.path === path) return checked(folder, allowed) === true;
    if (isBelow(path, folder.path)) return checkedPath(folder.children, allowed, path);
  }
  return false;
}

/** Return the fewest folders that stand for what passes at or below this one. */
function cover(
  folder: Folder,
  allowed: readonly string[] | null,
  path: string,
  on: boolean,
): string[] {
  if (folder.path === path) return on ? [folder.path] : [];
  if (!isBelow(path, folder.path)) {
    const state = checked(folder, allowed);
    if (state === true) return [folder.path];
    if (state === false) return [];
  }
  const below = folder.children.flatMap(child => cover(child, allowed, path, on));
  return folder.children.every(child => below.includes(child.path)) ? [folder.path] : below;
}
