/** Where the arrow keys lead in a list or in a grid of cards. */

const STEPS: Record<string, (columns: number) => number> = {
  ArrowDown: columns => columns,
  ArrowUp: columns => -columns,
  ArrowRight: columns => (columns > 1 ? 1 : 0),
  ArrowLeft: columns => (columns > 1 ? -1 : 0),
  j: () => 1,
  k: () => -1,
};

/**
 * Return what is selected after a key, or null if it is not one that moves.
 *
 * Up and down go by rows of cards, J and K to the next and the previous whatever the columns.
 */
export function moveTo(key: string, selected: number, count: number, columns = 1): number | null {
  if (!count) return null;
  if (key === 'Home') return 0;
  if (key === 'End') return count - 1;
  const step = STEPS[key]?.(columns);
  if (!step) return null;
  return Math.min(count - 1, Math.max(0, selected + step));
}
