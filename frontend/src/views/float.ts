/** What floats over the page: menus, a passing word, small questions. */

import { byId, h, icon } from '../lib/dom';

export interface Item {
  icon: string;
  text: string;
  run: () => void;
}

const menu = byId('menu');
let opener: HTMLElement | null = null;

/** Open a menu at a button; it closes with Escape, Tab, a choice, or a click elsewhere. */
export function openMenu(button: HTMLElement, items: readonly Item[]): void {
  opener = button;
  menu.replaceChildren(
    ...items.map(item => {
      const entry = h('button', { role: 'menuitem', tabindex: -1 }, icon(item.icon), item.text);
      entry.addEventListener('click', () => {
        closeMenu();
        item.run();
      });
      return entry;
    }),
  );
  menu.hidden = false;
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = menu;
  const left = Math.max(8, Math.min(innerWidth - width - 8, at.right - width));
  const below = at.bottom + height + 8 <= innerHeight;
  menu.style.left = `${left}px`;
  menu.style.top = `${Math.max(8, below ? at.bottom + 4 : at.top - height - 4)}px`;
  (menu.firstElementChild as HTMLElement | null)?.focus();
}

function closeMenu(): void {
  if (menu.hidden) return;
  menu.hidden = true;
  opener?.focus();
}

menu.addEventListener('keydown', event => {
  event.stopPropagation();
  const items = [...menu.children] as HTMLElement[];
  const at = items.indexOf(document.activeElement as HTMLElement);
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (event.key === 'Escape' || event.key === 'Tab') closeMenu();
  else if (step) items[(at + step + items.length) % items.length]?.focus();
  else return;
  event.preventDefault();
});

addEventListener('pointerdown', event => {
  if (!menu.contains(event.target as Node)) menu.hidden = true;
});

const toast = byId('toast');
let fading = 0;

/** Say what was done, where nothing else on the page shows it. */
export function tell(message: string): void {
  toast.textContent = message;
  toast.hidden = false;
  clearTimeout(fading);
  fading = setTimeout(() => {
    toast.hidden = true;
  }, 2600);
}

/** Put text on the clipboard, and say so. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    tell(`${what} copied`);
  } catch {
    await askText(`Copy the ${what.toLowerCase()}`, text); // without https there is no clipboard
  }
}

/** Ask for a name; null if it was given up. */
export function askText(question: string, value = ''): Promise<string | null> {
  const input = h('input', { value, maxlength: 4000, autocomplete: 'off' });
  const close = h('button.button.line', {}, 'Cancel');
  const form = h(
    'form',
    { method: 'dialog' },
    h('label', {}, question, input),
    h('div.acts', {}, close, h('button.button.solid', { type: 'submit' }, 'OK')),
  );
  const dialog = h('dialog.small', { 'aria-label': question }, form);
  document.body.append(dialog);
  return new Promise(resolve => {
    let answer: string | null = null;
    form.addEventListener('submit', () => {
      answer = input.value.trim() || null;
    });
    close.addEventListener('click', () => dialog.close());
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answer);
    });
    dialog.showModal();
    input.select();
  });
}
