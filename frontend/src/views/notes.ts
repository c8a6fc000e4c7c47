/** Messages over the query: an ingest that goes on, and what was refused. */

import type { Refusal } from '../app';
import { api, type Ingest } from '../lib/api';
import { byId, h, iconButton } from '../lib/dom';
import { count, grouped, roughly } from '../lib/format';
import type { Context } from './context';

export function mountNotes({ app }: Context): void {
  const notes = byId('notes');
  const reading = h('strong');
  const facts = h('p');
  const bar = h('progress', { 'aria-label': 'Sounds read' });
  const ingest = h('div.note', { role: 'status', hidden: true }, h('div', {}, reading, facts, bar));
  const refused = h('div', { role: 'alert' });
  const failures = h('button.button.line', {}, '');
  failures.addEventListener('click', () => void showFailures());
  ingest.append(failures);
  notes.append(refused, ingest);

  app.state.on(['info'], ({ info }) => {
    const now = info?.ingest ?? null;
    ingest.hidden = !now;
    if (!now) return;
    const what = now.task === 'reading' ? 'Reading sounds' : 'Learning from the sounds';
    reading.textContent = `${what}: ${grouped(now.done)} of ${grouped(now.total)}`;
    facts.textContent = ingestFacts(now, !!info?.searchable);
    failures.hidden = !now.failed;
    failures.textContent = `Show the ${count(now.failed, 'file')}`;
    bar.max = Math.max(1, now.total);
    bar.value = now.done;
  });
  app.state.on(['refusal'], ({ refusal }) =>
    refused.replaceChildren(...(refusal ? [refusalNote(refusal, () => app.dismiss())] : [])),
  );
}

/** "About 3 minutes left, 41 sounds a second. 6 files could not be read. …" */
export function ingestFacts(ingest: Ingest, searchable: boolean): string {
  const { left, rate, failed } = ingest;
  const pace = rate >= 1 ? `${count(Math.round(rate))} a second` : '';
  const time =
    left === null
      ? ''
      : `${left < 50 ? 'Under' : 'About'} ${roughly(left).replace('under ', '')} left`;
  const first = [time, pace].filter(Boolean).join(', ');
  return [
    first && `${first}.`,
    failed && `${count(failed, 'file')} could not be read.`,
    searchable
      ? 'You can search what is already in.'
      : 'You can search as soon as the first of them are learned and indexed.',
  ]
    .filter(Boolean)
    .join(' ');
}

function refusalNote({ title, text }: Refusal, close: () => void): HTMLElement {
  return h(
    'div.note.bad' as 'div',
    {},
    h('div', {}, h('strong', {}, title), h('p', {}, text)),
    iconButton('close', 'Close message', close),
  );
}

/** Name the files that could not be read, and say why. */
async function showFailures(): Promise<void> {
  const failures = await api.failures().catch(() => []);
  const close = h('button.button.line', {}, 'Close');
  const dialog = h(
    'dialog',
    { 'aria-label': 'Files that could not be read' },
    h('header', {}, h('h2', {}, `${count(failures.length, 'file')} could not be read`), close),
    h(
      'dl.failures',
      { tabindex: 0 },
      ...failures.flatMap(({ name, why }) => [h('dt', {}, name), h('dd', {}, why)]),
    ),
  );
  close.addEventListener('click', () => dialog.close());
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}
