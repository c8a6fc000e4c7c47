/** Sets of sounds as files: an archive, a playlist, a table. */

import { h } from '../lib/dom';
import { grouped } from '../lib/format';
import { type Item, tell } from './float';

/** What the server takes for a zip. */
const MOST = 10_000;

/** Let the browser save what lies under an address. */
export function download(address: string): void {
  const link = h('a', { href: address, download: '' });
  document.body.append(link);
  link.click();
  link.remove();
}

/** Return what a set of sounds can be saved as. */
export function exportItems(name: string, ids: readonly string[]): Item[] {
  const save = (format: string) => () => {
    if (format === 'zip' && ids.length > MOST) {
      tell(`A zip holds up to ${grouped(MOST)} sounds: choose fewer than ${grouped(ids.length)}.`);
      return;
    }
    // a form, so that the browser writes the answer to disk as it comes
    const field = h('textarea', { name: 'ids' });
    field.value = ids.join('\n');
    const action = `/api/export?${new URLSearchParams({ format, name })}`;
    const form = h('form', { method: 'post', action, hidden: true }, field);
    document.body.append(form);
    form.submit();
    form.remove();
  };
  return [
    { icon: 'download', text: 'Zip of the sounds', run: save('zip') },
    { icon: 'list', text: 'M3U playlist', run: save('m3u') },
    { icon: 'copy', text: 'CSV table', run: save('csv') },
  ];
}
