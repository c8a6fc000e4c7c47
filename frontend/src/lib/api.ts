/** The server, as `docs/api.md` describes it. */

import type { Like, Place, Span } from './address';
import { type Filters, filterParameters } from './filters';

export interface Sound {
  id: string;
  name: string;
  folder: string;
  path: string | null;
  uri: string;
  seconds: number;
  samplerate: number;
  channels: number;
  code: string | null;
}

/** A sound that was found, and the stretch of it that matches. */
export interface Hit extends Sound {
  start: number;
  duration: number;
  distance: number;
  score: number;
}

export interface Answer {
  query: { code: string; document: Sound | null };
  hits: Hit[];
  passed: number;
  documents: number;
}

export interface Ingest {
  task: 'reading' | 'coding';
  done: number;
  total: number;
  failed: number;
  rate: number;
  left: number | null;
}

export interface Info {
  name: string;
  kind: 'corpus' | 'model';
  documents: number;
  indexed: number;
  bits: number;
  searchable: boolean;
  folders: { folder: string; documents: number }[];
  durations: { edges: number[]; counts: number[] };
  samplerates: { samplerate: number; documents: number }[];
  channels: { channels: number; documents: number }[];
  units: Unit[];
  /** In which ways it compares, if there is a choice. */
  likes: Like[];
  ingest: Ingest | null;
  max_upload: number;
  max_upload_option: string;
  command: string;
  repl: boolean;
  /** How many results `ZoundsSearch` was asked to show. */
  n: number;
  changes: string;
}

export interface Failure {
  name: string;
  why: string;
}

export type Unit = 'clip' | 'segment';

export interface Peaks {
  /** How loud the loudest sample is, which is 127 in the others; 1 is full scale. */
  peak: number;
  columns: number;
  low: number[];
  high: number[];
  rms: number[];
}

export interface Collection {
  name: string;
  ids: string[];
}

export interface MapLayout {
  ready: true;
  version: string;
  count: number;
  folders: string[];
  columns: { name: string; type: 'float32' | 'uint16' | 'uint8'; offset: number }[];
  points: string;
  names: string;
}

/** What the server said no to, or that it said nothing (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly kind: string,
    message: string,
    readonly request: string,
  ) {
    super(message);
  }
}

interface Options extends RequestInit {
  json?: unknown;
  timeout?: number;
}

/** Ask for something; every failure becomes an `ApiError`, but a request given up stays one. */
export async function ask(path: string, options: Options = {}): Promise<Response> {
  const { json, timeout = 30_000, signal, ...rest } = options;
  const init: RequestInit = { ...rest };
  const request = `${init.method ?? 'GET'} ${path.split('?')[0]}`;
  const clock = timeout ? AbortSignal.timeout(timeout) : null;
  const signals = [signal, clock].filter(one => one != null);
  if (signals.length) init.signal = AbortSignal.any(signals);
  if (json !== undefined) {
    init.body = JSON.stringify(json);
    init.headers = { ...init.headers, 'Content-Type': 'application/json' };
  }
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (signal?.aborted) throw error;
    const why = clock?.aborted ? `no answer after ${timeout / 1000} s` : 'no connection';
    throw new ApiError(0, 'unreachable', `${request}: ${why}`, request);
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => null)) as {
    error?: { kind?: string; message?: string };
  } | null;
  throw new ApiError(
    response.status,
    body?.error?.kind ?? 'unknown',
    body?.error?.message ?? `The server answered ${response.status} to ${request}.`,
    request,
  );
}

async function get<T>(path: string, options?: Options): Promise<T> {
  return (await ask(path, options)).json() as Promise<T>;
}

const part = (id: string): string => `/api/documents/${encodeURIComponent(id)}`;

const stretch = (span: Span | null): Record<string, string> =>
  span ? { start: span[0].toFixed(6), duration: (span[1] - span[0]).toFixed(6) } : {};

function parameters(values: Record<string, string | number>, filters?: Filters): string {
  const all = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) all.set(name, String(value));
  if (filters) for (const [name, value] of filterParameters(filters)) all.append(name, value);
  return all.toString();
}

interface SearchOptions {
  unit: Unit;
  like: Like | null;
  n: number;
  filters: Filters;
  signal: AbortSignal;
}

export const api = {
  info: () => get<Info>('/api/info', { timeout: 60_000 }),

  search: (what: Place | string, { unit, like, n, filters, signal }: SearchOptions) => {
    const query: Record<string, string> = {
      ...(typeof what === 'string' ? { query: what } : { id: what.id, ...stretch(what.span) }),
      ...(like && { like }),
    };
    return get<Answer>(`/api/search?${parameters({ ...query, unit, n }, filters)}`, { signal });
  },

  /** More like the query and some other sounds, less like others; they are compared by kind. */
  mix: (
    query: Place | string,
    more: Place[],
    less: Place[],
    { unit, n, filters, signal }: SearchOptions,
  ) => {
    const plain = (place: Place | string) =>
      typeof place === 'string'
        ? { query: place }
        : place.span
          ? { id: place.id, start: place.span[0], duration: place.span[1] - place.span[0] }
          : { id: place.id };
    return get<Answer>(`/api/search?${parameters({ unit, n }, filters)}`, {
      method: 'POST',
      json: { more: [query, ...more].map(plain), less: less.map(plain) },
      signal,
    });
  },

  upload: (name: string, body: Blob, signal: AbortSignal) =>
    get<Sound>(`/api/uploads?${parameters({ name })}`, {
      method: 'POST',
      body,
      signal,
      timeout: 120_000,
    }),

  random: async (n: number, filters?: Filters) =>
    (await get<{ documents: Sound[] }>(`/api/random?${parameters({ n }, filters)}`)).documents,

  sound: (id: string) => get<Sound>(part(id)),

  /** The sounds with these ids that are still there, in this order. */
  sounds: async (ids: readonly string[]) => {
    const found: Sound[] = [];
    for (let i = 0; i < ids.length; i += 1000) {
      const json = { ids: ids.slice(i, i + 1000) };
      const some = await get<{ documents: Sound[] }>('/api/documents', { method: 'POST', json });
      found.push(...some.documents);
    }
    return found;
  },

  peaks: (id: string, columns: number) =>
    get<Peaks>(`${part(id)}/peaks?${parameters({ columns })}`, { priority: 'low' }),

  picture: (id: string, width: number) => `${part(id)}/picture.png?${parameters({ width })}`,

  audio: (id: string, span: Span) => `${part(id)}/audio?${parameters(stretch(span))}`,

  file: (id: string) => `${part(id)}/file`,

  collections: () => get<{ collections: Collection[]; writable: boolean }>('/api/collections'),

  saveCollection: ({ name, ids }: Collection) =>
    get<Collection>(`/api/collections/${encodeURIComponent(name)}`, {
      method: 'PUT',
      json: { ids },
    }),

  deleteCollection: (name: string) =>
    ask(`/api/collections/${encodeURIComponent(name)}`, { method: 'DELETE' }),

  map: () => get<MapLayout | { ready: false; done: number }>('/api/map'),

  points: async (path: string) => (await ask(path)).arrayBuffer(),

  failures: async () => (await get<{ failures: Failure[] }>('/api/failures')).failures,

  names: (path: string) => get<{ ids: string[]; names: string[] }>(path),
};
