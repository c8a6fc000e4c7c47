/** Files over the page, and rows of the list dragged to the query or into the mix. */

import { placeOf } from '../entry';
import { byId } from '../lib/dom';
import { bytes } from '../lib/format';
import type { Context } from './context';

const ROW = 'application/x-zounds';

export function mountDrop(context: Context): void {
  mountFiles(context);
  mountRows(context);
}

function mountFiles({ app }: Context): void {
  const over = byId('over');
  const [search, add] = [...over.children] as [HTMLElement, HTMLElement];
  let depth = 0; // of elements entered and not left

  const hasFiles = (event: DragEvent) =>
    !!event.dataTransfer?.types.includes('Files') && !event.dataTransfer.types.includes(ROW);
  const side = (event: DragEvent) => (add.contains(event.target as Node) ? 'more' : 'query');

  addEventListener('dragenter', event => {
    if (hasFiles(event) && !depth++) over.hidden = false;
  });
  addEventListener('dragleave', event => {
    if (hasFiles(event) && !--depth) over.hidden = true;
  });
  addEventListener('dragover', event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    const adds = side(event) === 'more';
    add.classList.toggle('on', adds);
    search.classList.toggle('on', !adds);
  });
  addEventListener('drop', event => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    over.hidden = true;
    const file = event.dataTransfer?.files[0];
    if (file) void app.upload(file, file.name, side(event));
  });
  app.state.on(['info'], ({ info }) => {
    const words = search.querySelector('p') as HTMLElement;
    words.textContent = `wav, flac, mp3, ogg, aiff and most else, up to ${bytes(info?.max_upload ?? 5e7)}`;
  });
}

function mountRows({ app }: Context): void {
  const dropped = (event: DragEvent) =>
    app.state.value.entries.find(entry => entry.key === event.dataTransfer?.getData(ROW));
  for (const [id, run] of [
    ['mix', 'more'],
    ['query', 'query'],
  ] as const) {
    const target = byId(id);
    target.addEventListener('dragover', event => {
      if (event.dataTransfer?.types.includes(ROW)) event.preventDefault();
    });
    target.addEventListener('drop', event => {
      const entry = dropped(event);
      if (!entry) return;
      event.preventDefault();
      event.stopPropagation();
      if (run === 'more') app.vote(entry, 'more');
      else app.open(placeOf(entry), entry.sound);
    });
  }
}
