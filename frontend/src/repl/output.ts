/** What the kernel shows, as elements: text, pictures, tables and players; never scripts. */

import { surface } from '../lib/canvas';
import { changeIcon, h, icon, set } from '../lib/dom';
import { length } from '../lib/format';
import { colour } from '../theme';

const TAGS = new Set(
  'a audio b blockquote br caption code dd div dl dt em figcaption figure h1 h2 h3 h4 h5 h6 hr i img li ol p pre small span strong sub sup table tbody td tfoot th thead tr u ul'.split(
    ' ',
  ),
);
const ATTRIBUTES = new Set(['alt', 'colspan', 'controls', 'height', 'rowspan', 'title', 'width']);

/** Make an element of the richest of what the kernel offers for a value. */
export function richOutput(data: Record<string, string>): HTMLElement {
  const html = data['text/html'];
  if (html) {
    const made = h('div.rich', {}, clean(html));
    for (const audio of made.querySelectorAll('audio')) addPlayer(audio);
    return made;
  }
  for (const type of ['image/png', 'image/jpeg']) {
    const picture = data[type];
    if (picture)
      return h('div.rich', {}, h('img', { src: `data:${type};base64,${picture}`, alt: 'Picture' }));
  }
  return h('pre', {}, data['text/plain'] ?? '');
}

/** Keep of markup what shows something, and drop what could do something. */
export function clean(html: string): DocumentFragment {
  const parsed = new DOMParser().parseFromString(html, 'text/html');
  const made = document.createDocumentFragment();
  for (const node of parsed.body.childNodes) made.append(...copied(node));
  return made;
}

function copied(node: Node): Node[] {
  if (node instanceof Text) return [document.createTextNode(node.data)];
  if (!(node instanceof Element)) return [];
  const tag = node.localName;
  if (['script', 'style', 'template', 'title'].includes(tag)) return [];
  const children = [...node.childNodes].flatMap(copied);
  if (!TAGS.has(tag)) return children;
  const made = document.createElement(tag);
  for (const { name, value } of node.attributes) {
    const source = name === 'src' && /^data:(image|audio)\//.test(value);
    const link = name === 'href' && /^https?:\/\//.test(value);
    if (ATTRIBUTES.has(name) || source || link) made.setAttribute(name, value);
  }
  if (made instanceof HTMLAnchorElement) set(made, { rel: 'noreferrer', target: '_blank' });
  if (made instanceof HTMLImageElement && !made.alt) made.alt = 'Picture';
  made.append(...children);
  return [made];
}

/** Give an audio element a button and a wave of the page's own. */
function addPlayer(audio: HTMLAudioElement): void {
  const canvas = h('canvas', { 'aria-hidden': 'true' });
  const button = h('button.play', { 'aria-label': 'Play', 'aria-pressed': 'false' }, icon('play'));
  const time = h('span.numbers');
  const line = h('div.playhead');
  audio.controls = false;
  audio.preload = 'auto';
  button.addEventListener('click', () => {
    if (!audio.paused) {
      audio.pause();
      return;
    }
    for (const other of document.querySelectorAll('audio')) other.pause();
    audio.currentTime = 0;
    void audio.play();
  });
  const follow = () => {
    const x = (audio.currentTime / audio.duration || 0) * canvas.clientWidth;
    line.style.opacity = audio.paused ? '0' : '1';
    line.style.transform = `translateX(${x.toFixed(1)}px)`;
    if (!audio.paused) requestAnimationFrame(follow);
  };
  const show = () => {
    set(button, { 'aria-pressed': String(!audio.paused) });
    changeIcon(button, audio.paused ? 'play' : 'stop');
    follow();
  };
  for (const event of ['play', 'pause', 'ended']) audio.addEventListener(event, show);
  audio.addEventListener('loadedmetadata', () => {
    if (Number.isFinite(audio.duration)) time.textContent = length(audio.duration);
  });
  const wave = h('div.player-wave', {}, canvas, line);
  audio.before(button, wave, time);
  const source = audio.src || (audio.querySelector('source')?.src ?? '');
  new IntersectionObserver((seen, observer) => {
    if (!seen.some(one => one.isIntersecting)) return;
    observer.disconnect();
    decoded(source)
      .then(samples => drawSamples(canvas, samples))
      .catch(() => undefined); // it can be heard all the same
  }).observe(canvas);
}

async function decoded(source: string): Promise<Float32Array> {
  const text = atob(source.slice(source.indexOf(',') + 1));
  const bytes = Uint8Array.from(text, letter => letter.charCodeAt(0));
  const buffer = await new OfflineAudioContext(1, 1, 22_050).decodeAudioData(bytes.buffer);
  return buffer.getChannelData(0);
}

function drawSamples(canvas: HTMLCanvasElement, samples: Float32Array): void {
  const on = surface(canvas);
  if (!on) return;
  const { context, width, height } = on;
  context.fillStyle = colour('wave-2');
  for (let x = 0; x < width; x++) {
    const first = Math.floor((x / width) * samples.length);
    const part = samples.subarray(first, Math.ceil(((x + 1) / width) * samples.length));
    const peak = part.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    const tall = Math.max(1, peak * height * 0.97);
    context.fillRect(x, (height - tall) / 2, 1, tall);
  }
}
