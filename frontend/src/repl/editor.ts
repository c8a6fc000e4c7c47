/** The line that is typed: history, completion, several lines. */

import { fill, h, set } from '../lib/dom';
import type { Kernel } from './kernel';

const TALL = 220; // px

export interface Editor {
  element: HTMLElement;
  input: HTMLTextAreaElement;
  /** Show the number of the next input. */
  number: (count: number | null) => void;
}

/** Make the prompt; `run` is called with code that can run, `leave` on Escape. */
export function makeEditor(kernel: Kernel, run: (code: string) => void, leave: () => void): Editor {
  const label = h('span', {}, 'In [ ]');
  const list = h('ul.completions', {
    id: 'completions',
    role: 'listbox',
    'aria-label': 'Completions',
    hidden: true,
  });
  const input = h('textarea', {
    rows: 1,
    spellcheck: 'false',
    autocapitalize: 'off',
    autocomplete: 'off',
    'aria-label': 'Python input',
    'aria-autocomplete': 'list',
    'aria-controls': 'completions',
  });
  const hint = h('small', {}, 'Enter runs, Shift Enter new line');
  const element = h('div.prompt', {}, label, input, hint, list);
  const past = makePast(kernel);
  const completion = makeCompletion(kernel, input, list, () => resize());

  const resize = () => {
    input.style.height = '26px';
    input.style.height = `${Math.min(TALL, input.scrollHeight)}px`;
  };
  const put = (text: string) => {
    input.value = text;
    input.selectionStart = input.selectionEnd = text.length;
    completion.close();
    resize();
  };
  const enter = async () => {
    const code = input.value;
    if (!code.trim()) return;
    const atEnd = input.selectionStart === code.length;
    // an empty line ends what is indented
    const ends = /\n[ \t]*$/.test(code);
    const { status, indent = '' } = await kernel
      .isComplete(ends ? `${code.trimEnd()}\n\n` : code)
      .catch(() => ({ status: 'unknown', indent: '' }));
    if (input.value !== code) return; // typed on meanwhile
    if (atEnd && status === 'incomplete') {
      input.setRangeText(`\n${indent}`, code.length, code.length, 'end');
      resize();
      return;
    }
    past.add(code.trimEnd());
    put('');
    run(code.trimEnd());
  };
  /** Say whether the caret is in the first (-1) or the last (1) line. */
  const atEdge = (side: -1 | 1) =>
    side < 0
      ? !input.value.slice(0, input.selectionStart).includes('\n')
      : !input.value.slice(input.selectionEnd).includes('\n');

  input.addEventListener('input', event => {
    resize();
    if ((event as InputEvent).data === '.') void completion.open();
    else completion.narrow();
  });
  input.addEventListener('keydown', event => {
    event.stopPropagation();
    const step = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0;
    if (completion.isOpen()) {
      if (step) completion.move(step);
      else if (event.key === 'Enter' || event.key === 'Tab') completion.take();
      else if (event.key === 'Escape') completion.close();
      else return;
    } else if (event.key === 'Enter' && !event.shiftKey) void enter();
    else if (event.key === 'Tab' && !event.shiftKey && /\S$/.test(before(input)))
      void completion.open(true);
    else if (event.key === 'Tab' && !event.shiftKey && input.value) {
      input.setRangeText('    ', input.selectionStart, input.selectionEnd, 'end');
    } else if (step && atEdge(step)) {
      const text = past.go(step, input.value);
      if (text === null) return;
      put(text);
    } else if (event.key === 'Escape') leave();
    else return;
    event.preventDefault();
  });
  input.addEventListener('blur', () => completion.close());
  return {
    element,
    input,
    number: count => {
      label.textContent = `In [${count ?? ' '}]`;
    },
  };
}

const before = (input: HTMLTextAreaElement): string => input.value.slice(0, input.selectionStart);

/** What was run before, the latest last. */
function makePast(kernel: Kernel) {
  let entries: string[] = [];
  let at = 0;
  let draft = '';
  kernel
    .history()
    .then(found => {
      entries = [...found, ...entries];
      at = entries.length;
    })
    .catch(() => undefined); // it begins anew
  return {
    add: (code: string) => {
      if (entries.at(-1) !== code) entries.push(code);
      at = entries.length;
    },
    /** Return what is to be shown one step on; null at either end. */
    go: (step: -1 | 1, now: string): string | null => {
      if (at === entries.length) draft = now;
      const next = at + step;
      if (next < 0 || next > entries.length) return null;
      at = next;
      return entries[at] ?? draft;
    },
  };
}

function makeCompletion(
  kernel: Kernel,
  input: HTMLTextAreaElement,
  list: HTMLElement,
  onTaken: () => void,
) {
  let all: string[] = [];
  let found = { matches: [] as string[], start: 0, end: 0 };
  let chosen = 0;
  let turn = 0;

  const close = () => {
    turn++;
    list.hidden = true;
    set(input, { 'aria-activedescendant': null });
  };
  const take = () => {
    const text = found.matches[chosen];
    close();
    if (text === undefined) return;
    input.setRangeText(text, found.start, found.end, 'end');
    onTaken();
  };
  const show = () => {
    fill(
      list,
      ...found.matches.map((match, i) => {
        const one = h(
          'li',
          { role: 'option', id: `completion-${i}`, 'aria-selected': String(i === chosen) },
          match.slice(match.lastIndexOf('.') + 1),
        );
        one.addEventListener('pointerdown', event => {
          event.preventDefault(); // the caret stays in the input
          chosen = i;
          take();
        });
        return one;
      }),
    );
    list.hidden = false;
    list.children[chosen]?.scrollIntoView({ block: 'nearest' });
    set(input, { 'aria-activedescendant': `completion-${chosen}` });
  };
  /** Ask for completions; the only one there is is taken at once where that was asked for. */
  const open = async (takeOnly = false) => {
    const mine = ++turn;
    const code = input.value;
    const answer = await kernel.complete(code, input.selectionStart).catch(() => null);
    if (mine !== turn || code !== input.value) return;
    if (!answer?.matches.length) {
      close();
      return;
    }
    found = answer;
    all = answer.matches;
    chosen = 0;
    if (takeOnly && found.matches.length === 1) take();
    else show();
  };
  /** Keep of what is shown what begins as was typed on. */
  const narrow = () => {
    if (list.hidden) return;
    const end = input.selectionStart;
    const typed = input.value.slice(found.start, end);
    const matches = all.filter(match => match.startsWith(typed));
    if (end < found.start || !matches.length) {
      close();
      return;
    }
    found = { ...found, matches, end };
    chosen = 0;
    show();
  };
  return {
    open,
    close,
    take,
    narrow,
    isOpen: () => !list.hidden,
    move: (step: number) => {
      chosen = (chosen + step + found.matches.length) % found.matches.length;
      show();
    },
  };
}
