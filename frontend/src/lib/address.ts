/** The query in the address of the page: `/?query=<base64 code>`, and what it came from. */

import { type Filters, filterParameters } from './filters';

/** A stretch of a sound, from and to [s]. */
export type Span = readonly [number, number];

/** A sound of the corpus, or a stretch of one. */
export interface Place {
  id: string;
  span: Span | null;
}

/** What is to be found: other sounds of its kind, or the same sound again. */
export type Like = 'kind' | 'same';

/** What the page searches for. */
export interface Address {
  /** The code, in base64. */
  code: string | null;
  /** The sound that the code is of. */
  sound: Place | null;
  more: Place[];
  less: Place[];
  /** What is compared; null for whole sounds. */
  unit: 'segment' | null;
  /** How it is compared; null for the usual way, and for several sounds there is no other. */
  like: 'same' | null;
}

export const nothing: Address = {
  code: null,
  sound: null,
  more: [],
  less: [],
  unit: null,
  like: null,
};

/** Read the part of an address after the path; what makes no sense in it is left out. */
export function readAddress(search: string): Address {
  const asked = new URLSearchParams(search);
  const places = (name: string) => asked.getAll(name).flatMap(text => readPlace(text) ?? []);
  const [more, less] = [places('more'), places('less')];
  const several = more.length + less.length > 0;
  return {
    code: readCode(asked.get('query')),
    sound: places('sound')[0] ?? null,
    more,
    less,
    unit: asked.get('unit') === 'segment' ? 'segment' : null,
    like: asked.get('like') === 'same' && !several ? 'same' : null,
  };
}

/** Write an address, to be read again by `readAddress` and `readFilters`. */
export function writeAddress(address: Address, filters: Filters): string {
  const parts: string[] = [];
  const put = (name: string, value: string) => parts.push(`${name}=${encodeURIComponent(value)}`);
  if (address.code) put('query', address.code);
  if (address.sound) put('sound', writePlace(address.sound));
  for (const place of address.more) put('more', writePlace(place));
  for (const place of address.less) put('less', writePlace(place));
  if (address.unit) put('unit', address.unit);
  if (address.like) put('like', address.like);
  for (const [name, value] of filterParameters(filters)) put(name, value);
  return parts.length ? `/?${parts.join('&')}` : '/';
}

/** Say whether two stretches are the same to a hundredth of a second. */
export const sameSpan = (one: Span | null, other: Span | null): boolean =>
  one === other ||
  (!!one && !!other && one.every((time, i) => Math.abs(time - (other[i] as number)) < 0.005));

/** Say whether two places are the same. */
export const samePlace = (one: Place, other: Place): boolean =>
  one.id === other.id && sameSpan(one.span, other.span);

function readCode(text: string | null): string | null {
  if (!text) return null;
  let code = text;
  if (code.includes('%')) {
    try {
      code = decodeURIComponent(code); // it was encoded twice on its way
    } catch {
      return code;
    }
  }
  return code.replaceAll(' ', '+'); // a plus sign that was not encoded is read as a space
}

function readPlace(text: string): Place | null {
  const [, id, from, to] = /^(.+?)(?:~(\d+(?:\.\d+)?)~(\d+(?:\.\d+)?))?$/.exec(text) ?? [];
  if (!id) return null;
  const span: Span = [Number(from), Number(to)];
  return { id, span: from !== undefined && span[1] > span[0] ? span : null };
}

const writePlace = ({ id, span }: Place): string =>
  span ? `${id}~${plain(span[0])}~${plain(span[1])}` : id;

const plain = (seconds: number): string => String(Number(seconds.toFixed(3)));
