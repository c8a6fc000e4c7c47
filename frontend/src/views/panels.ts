/** What stands in place of the list: nothing asked yet, nothing there, nothing found, nothing to be had. */

import { folderName } from '../entry';
import { type ApiError, api, type Info, type Sound } from '../lib/api';
import { byId, fill, h, icon, iconButton } from '../lib/dom';
import { held, noFilters } from '../lib/filters';
import { count } from '../lib/format';
import { drawBark } from '../pictures';
import { onTheme } from '../theme';
import type { Context } from './context';
import { copy } from './float';

/** What the buttons of the start page do. */
export interface Ways {
  open: () => void;
  record: () => void;
  random: () => void;
}

/** How many sounds are proposed to start from. */
const STARTS = 6;

export function mountPanels(context: Context, ways: Ways): void {
  const { app } = context;
  const panel = byId('panel');
  let starts: Sound[] = [];
  let proposed = '';

  const propose = async (info: Info) => {
    if (proposed === info.changes || !info.documents) return;
    proposed = info.changes;
    starts = await api.random(STARTS).catch(() => []);
    show();
  };
  const show = () => {
    const { info, entries, address, set, fault, busy, passed } = app.state.value;
    const asked = !!(address.code || address.sound);
    const content = () => {
      if (fault) return faultPanel(context, fault);
      if (!info) return [];
      if (!info.documents && !info.ingest) return emptyPanel(info);
      if (set !== null || entries.length) return [];
      if (!asked) return startPanel(context, ways, starts);
      return busy ? [] : nonePanel(context, passed);
    };
    const made = content();
    panel.hidden = !made.length;
    byId('list').hidden = !panel.hidden || !entries.length;
    fill(panel, ...(made.length ? [h('div', {}, ...made)] : []));
    drawStarts(panel, starts);
    if (fault) panel.setAttribute('role', 'alert');
    else panel.removeAttribute('role');
    if (info && !asked) void propose(info);
  };
  app.state.on(['info', 'entries', 'address', 'set', 'fault', 'busy', 'passed'], show);
  onTheme(() => drawStarts(panel, starts));
}

function button(words: string, run: () => void, solid = false, picture = ''): HTMLElement {
  const made = h('button.button', {}, picture ? icon(picture) : null, words);
  made.classList.add(solid ? 'solid' : 'line');
  made.addEventListener('click', run);
  return made;
}

function startPanel({ app }: Context, ways: Ways, starts: Sound[]): HTMLElement[] {
  const tries = starts.map(sound => {
    const made = h(
      'button',
      {},
      h('canvas'),
      h('strong', { title: sound.name }, sound.name),
      h('em', {}, folderName(sound.folder)),
    );
    made.addEventListener('click', () => app.open({ id: sound.id, span: null }, sound));
    return made;
  });
  return [
    h(
      'div.drop',
      {},
      h('h2', {}, 'Which sound are you looking for?'),
      h(
        'p',
        {},
        'Drop one that is close, or record yourself making it. zounds finds what has a similar timbre, down to the second.',
      ),
      h(
        'div.acts',
        {},
        button('Open a sound', ways.open, true, 'open'),
        button('Record', ways.record, false, 'record'),
        button('Random sound', ways.random, false, 'random'),
      ),
    ),
    ...(tries.length
      ? [h('p.small', {}, 'Or start from one of these'), h('div.starts', {}, ...tries)]
      : []),
  ];
}

function drawStarts(panel: HTMLElement, starts: Sound[]): void {
  const canvases = panel.querySelectorAll<HTMLCanvasElement>('.starts canvas');
  canvases.forEach((canvas, i) => {
    const sound = starts[i];
    if (sound) drawBark(canvas, sound.id, 300, null).catch(() => undefined); // its name is enough
  });
}

function emptyPanel({ command }: Info): HTMLElement[] {
  const commands = ['~/Samples', 'https://example.org/drums.zip'].map(source => {
    const words = command.replace('SOURCE', source);
    const taken = iconButton('copy', 'Copy command', () => void copy(words, 'Command'));
    return h('div.command', {}, h('span', {}, words), taken);
  });
  return [
    h('h2', {}, 'There are no sounds in this corpus yet'),
    h(
      'p',
      {},
      'Point zounds at a folder, a zip archive or a web address. It reads wav, flac, mp3, ogg, aiff and most else; your files are not moved or changed.',
    ),
    ...commands,
    h('p.small', {}, 'This page fills by itself as sounds come in.'),
  ];
}

function nonePanel({ app }: Context, passed: number): HTMLElement[] {
  const { filters, info } = app.state.value;
  const words = held(filters).map(one => one.words);
  if (!words.length || passed > 1)
    return [
      h('h2', {}, 'Nothing else is near'),
      h(
        'p',
        {},
        'The corpus has no other sound to compare with: index more, or clear the filters.',
      ),
    ];
  const bold = words.flatMap((word, i) => [i ? ', ' : '', h('b', {}, word)]);
  const there = count(info?.documents ?? 0);
  return [
    h('h2', {}, 'No sound passes these filters'),
    filters.folders?.length === 0
      ? h('p', {}, 'No folder is ticked: tick one, or clear the filters.')
      : h('p', {}, `The corpus has ${there}. All of them are outside `, ...bold, '.'),
    h(
      'div.acts',
      {},
      button('Clear filters', () => app.filter(noFilters), true),
      ...(filters.seconds && words.length > 1
        ? [button('Clear duration only', () => app.filter({ seconds: null }))]
        : []),
    ),
  ];
}

function faultPanel({ app }: Context, fault: ApiError): HTMLElement[] {
  const again = () => void app.refresh().then(() => app.search());
  if (fault.status <= 0)
    return [
      h('h2', {}, 'The server did not answer'),
      h(
        'p',
        {},
        'Your query is safe: it is in the address of this page. Check that ',
        h('code', {}, 'zounds serve'),
        ' is still running in its terminal, then try again.',
      ),
      h(
        'div.acts',
        {},
        button('Try again', again, true),
        button('Copy details', () => void copy(fault.message, 'Details')),
      ),
      h('p.details', {}, fault.message),
    ];
  const titles: Record<string, string> = {
    bad_code: 'This address holds no code of this corpus',
    no_index: 'This corpus has no index yet',
    not_learned: 'This corpus has learned nothing yet',
    no_sounds: 'There are no sounds in this corpus yet',
    gone: 'The sound is not there any more',
    not_found: 'This sound is not in the corpus',
    busy: 'The server has too much to do',
  };
  return [
    h('h2', {}, titles[fault.kind] ?? 'The search was not done'),
    h('p', {}, fault.message),
    h(
      'div.acts',
      {},
      button('Try again', again, true),
      button('Start page', () => app.home()),
    ),
  ];
}
