/** Making and finding elements. Text is always set as text, never as markup. */

import sprite from '../icons.svg?url';

type Child = Node | string | number | null | undefined | false;
type Attributes = Record<string, string | number | boolean | null | undefined>;

/** Return the element with that id; the page is broken without it. */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return found as T;
}

/** Make an element, as in `h('button.b.line', { title: 'Open (O)' }, icon('open'), 'Open')`. */
export function h<K extends keyof HTMLElementTagNameMap>(
  selector: K | `${K}.${string}`,
  attributes: Attributes = {},
  ...children: Child[]
): HTMLElementTagNameMap[K] {
  const [tag, ...classes] = selector.split('.');
  const element = document.createElement(tag as K);
  if (tag === 'button') element.setAttribute('type', 'button');
  if (classes.length) element.classList.add(...classes);
  set(element, attributes);
  element.append(...shown(children));
  return element;
}

/** Set attributes: true stands for an empty one; false, null and undefined remove it. */
export function set(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) element.removeAttribute(name);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

/** Replace what an element holds. */
export function fill(element: Element, ...children: Child[]): void {
  element.replaceChildren(...shown(children));
}

const shown = (children: Child[]): (Node | string)[] =>
  children
    .filter(child => child != null && child !== false)
    .map(child => (typeof child === 'number' ? String(child) : (child as Node | string)));

const SVG = 'http://www.w3.org/2000/svg';
const FILLED = new Set(['play', 'stop']);

/** Make a picture of 16 pixels out of `icons.svg`. */
export function icon(name: string): SVGSVGElement {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', FILLED.has(name) ? 'icon filled' : 'icon');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS(SVG, 'use');
  use.setAttribute('href', `${sprite}#${name}`);
  svg.append(use);
  return svg;
}

/** Put the pictures into the elements of the page that name one. */
export function showIcons(): void {
  for (const place of document.querySelectorAll<HTMLElement>('[data-icon]'))
    place.prepend(icon(place.dataset.icon ?? ''));
}

/** Show another picture in a button that was made with `icon`. */
export function changeIcon(button: Element, name: string): void {
  button.querySelector('use')?.setAttribute('href', `${sprite}#${name}`);
}

/** Make a button with a picture only; its label is its tooltip, too. */
export function iconButton(
  name: string,
  label: string,
  onClick: (event: MouseEvent) => void,
  key = '',
): HTMLButtonElement {
  const button = h('button.button.square', { 'aria-label': label }, icon(name));
  button.title = key ? `${label} (${key})` : label;
  button.addEventListener('click', onClick);
  return button;
}

/** Say whether an element is a field that takes what is typed. */
export function takesText(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    target.matches('input:not([type=checkbox], [type=range]), textarea, select')
  );
}

/**
 * Make buttons behave as one choice: arrow keys move it, and only the chosen one is a tab stop.
 * Returns a function that shows a value as chosen.
 */
export function choice(group: HTMLElement, onChoose: (value: string) => void) {
  const buttons = [...group.querySelectorAll<HTMLButtonElement>('[role=radio]')];
  const show = (value: string) => {
    for (const button of buttons) {
      const chosen = button.value === value;
      set(button, { 'aria-checked': String(chosen), tabindex: chosen ? 0 : -1 });
    }
  };
  const visible = () => buttons.filter(button => button.offsetParent);
  for (const button of buttons) {
    button.addEventListener('click', () => onChoose(button.value));
    button.addEventListener('keydown', event => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      const all = visible();
      const next = all[(all.indexOf(button) + step + all.length) % all.length];
      next?.focus();
      next?.click();
    });
  }
  return show;
}
