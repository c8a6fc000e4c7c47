/** The REPL: what was typed and what came of it, over a prompt. */

import '../styles/repl.css';
import { fill, h, icon, iconButton } from '../lib/dom';
import { makeEditor } from './editor';
import { highlighted } from './highlight';
import { Kernel, type KernelEvent, type KernelState } from './kernel';
import { richOutput } from './output';

export interface Repl {
  focus: () => void;
}

const WORDS: Record<KernelState, string> = {
  starting: 'Kernel starting',
  idle: `Kernel idle, ${location.hostname} only`,
  busy: 'Kernel busy',
  dead: 'The kernel stopped. Restart',
};

/** Fill a section with a REPL; it can be closed, if there is something to do then. */
export function mountRepl(section: HTMLElement, token: string, close: (() => void) | null): Repl {
  const kernel = new Kernel(token);
  const state = h('p.repl-state', { role: 'status' }, WORDS.starting);
  const interrupt = h(
    'button.button',
    { disabled: true, 'aria-label': 'Interrupt' },
    icon('stop'),
    h('span', {}, 'Interrupt'),
  );
  const restart = h(
    'button.button',
    { 'aria-label': 'Restart' },
    icon('loop'),
    h('span', {}, 'Restart'),
  );
  const away = close && iconButton('close', 'Close REPL', close);
  const shown = h('div');
  const label = { role: 'log', 'aria-label': 'Output', tabindex: 0 };
  const transcript = h('div.transcript', label, shown);
  const cells = new Map<number | null, HTMLElement>();

  const say = (error: unknown) => fault(error instanceof Error ? error.message : String(error));
  const fault = (message: string) => {
    if (!message) return;
    state.className = 'repl-state dead';
    state.textContent = message;
  };
  const editor = makeEditor(
    kernel,
    code => void kernel.execute(code).catch(say),
    () => close?.(),
  );
  const showState = (now: KernelState) => {
    state.className = `repl-state ${now}`;
    state.textContent = WORDS[now];
    interrupt.disabled = now !== 'busy';
  };
  interrupt.addEventListener('click', () => void kernel.interrupt().catch(say));
  restart.addEventListener('click', () => {
    kernel
      .restart()
      .then(
        () => add(null, 'stream', '', h('pre', {}, 'Kernel restarted, variables are gone')),
        say,
      );
  });
  fill(
    section,
    h('div.repl-head', {}, h('h2', {}, 'Python'), state, interrupt, restart, away),
    transcript,
    editor.element,
  );

  // the end stays in view, whatever comes or grows, unless one has scrolled up
  let atEnd = true;
  transcript.addEventListener('scroll', () => {
    atEnd = transcript.scrollHeight - transcript.scrollTop - transcript.clientHeight < 40;
  });
  const toEnd = () => {
    if (atEnd) transcript.scrollTop = transcript.scrollHeight;
  };
  const growing = new ResizeObserver(toEnd);
  for (const element of [shown, transcript]) growing.observe(element);

  /** Put something under what came of a cell. */
  const add = (cell: number | null, kind: string, gutter: string, content: Node) => {
    let group = cells.get(cell);
    if (!group || cell === null) {
      group = h('div');
      cells.set(cell, group);
      shown.append(group);
    }
    const made = h('div.cell', {}, h('span', {}, gutter), content);
    made.classList.add(...kind.split(' '));
    group.append(made);
    return made;
  };
  const clearing = new Set<number | null>(); // when the next output comes
  const clear = (cell: number | null) => {
    for (const one of [...(cells.get(cell)?.children ?? [])])
      if (!one.classList.contains('in')) one.remove();
  };
  const stream = (cell: number | null, name: string, text: string) => {
    const last = cells.get(cell)?.lastElementChild;
    const kind = name === 'stderr' ? 'stderr' : 'stdout';
    const goesOn = cell !== null && last?.classList.contains(kind) ? last : null;
    const pre =
      goesOn?.querySelector('pre') ??
      (add(cell, `stream ${kind}`, '', h('pre')).lastChild as HTMLElement);
    // a carriage return writes over the line, as progress bars do
    pre.textContent = (pre.textContent + text).replace(/[^\n]*\r(?!\n|$)/g, '');
  };
  const show = (event: KernelEvent) => {
    if (event.type === 'state') {
      showState(event.state);
      return;
    }
    if (event.type !== 'clear' && event.type !== 'done' && clearing.delete(event.cell))
      clear(event.cell);
    switch (event.type) {
      case 'input':
        add(event.cell, 'in', `In [${event.count}]`, h('pre', {}, ...highlighted(event.code)));
        editor.number(event.count + 1);
        atEnd = true;
        break;
      case 'stream':
        stream(event.cell, event.name, event.text);
        break;
      case 'result':
        add(event.cell, 'out', `Out [${event.count}]`, richOutput(event.data));
        break;
      case 'display':
        add(event.cell, 'out', '', richOutput(event.data));
        break;
      case 'error':
        add(event.cell, 'error', '', h('pre', {}, errorText(event)));
        break;
      case 'clear':
        if (event.wait) clearing.add(event.cell);
        else clear(event.cell);
        break;
    }
  };
  kernel.onEvent = show;
  kernel.onFault = fault;
  kernel.about().then(({ state: now, banner, names }) => {
    showState(now);
    const words = [banner.trim(), names.length ? `There are: ${names.join(', ')}` : ''];
    const first = h(
      'div.cell.stream' as 'div',
      {},
      h('span'),
      h('pre', {}, words.filter(Boolean).join('\n')),
    );
    shown.prepend(first);
  }, say);
  void kernel.follow();
  return { focus: () => editor.input.focus({ preventScroll: true }) };
}

const errorText = ({ name, value, traceback }: Extract<KernelEvent, { type: 'error' }>): string =>
  traceback.length ? traceback.join('\n') : `${name}: ${value}`;
