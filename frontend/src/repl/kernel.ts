/** The kernel behind the REPL: what is asked of it, and what it tells. */

import { ApiError, ask } from '../lib/api';

export type KernelState = 'starting' | 'idle' | 'busy' | 'dead';

type Mime = Record<string, string>;

export type KernelEvent =
  | { type: 'state'; state: KernelState }
  | { type: 'input'; cell: number; count: number; code: string }
  | { type: 'stream'; cell: number | null; name: 'stdout' | 'stderr'; text: string }
  | { type: 'result'; cell: number; count: number; data: Mime }
  | { type: 'display'; cell: number | null; data: Mime }
  | { type: 'clear'; cell: number | null; wait: boolean }
  | { type: 'error'; cell: number | null; name: string; value: string; traceback: string[] }
  | { type: 'done'; cell: number; status: 'ok' | 'error' | 'aborted' };

const AGAIN = 1000; // ms until a broken stream is asked for again

export class Kernel {
  /** Called with each event, in order, each once. */
  onEvent: (event: KernelEvent) => void = () => undefined;
  /** Called with what is wrong with the line to the kernel; empty when nothing is. */
  onFault: (message: string) => void = () => undefined;
  #last = 0;

  constructor(private readonly token: string) {}

  about = () => this.#json<{ state: KernelState; banner: string; names: string[] }>('');
  execute = (code: string) => this.#post('execute', { code });
  interrupt = () => this.#post('interrupt');
  restart = () => this.#post('restart');
  history = async () => (await this.#json<{ entries: string[] }>('/history')).entries;

  /** Return what may stand in place of `code[start:end]`; places count UTF-16 units. */
  async complete(code: string, cursor: number) {
    const points = [...code.slice(0, cursor)].length;
    const response = await this.#post('complete', { code, cursor: points });
    const found = (await response.json()) as { matches: string[]; start: number; end: number };
    const letters = [...code];
    const units = (n: number) => letters.slice(0, n).join('').length;
    return { matches: found.matches, start: units(found.start), end: units(found.end) };
  }

  /** Say whether code can run as it is, and how the next line is indented if not. */
  async isComplete(code: string) {
    const response = await this.#post('is_complete', { code });
    return (await response.json()) as { status: string; indent?: string };
  }

  /** Follow what the kernel tells, for as long as the page is there. */
  async follow(): Promise<void> {
    for (;;) {
      try {
        await this.#read();
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        this.onFault(message);
        if (error instanceof ApiError && [401, 404].includes(error.status)) return;
      }
      await new Promise(resolve => setTimeout(resolve, AGAIN));
    }
  }

  async #read(): Promise<void> {
    const response = await this.#ask(`/events?after=${this.#last}`, { timeout: 0 });
    this.onFault('');
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    let rest = '';
    for (;;) {
      const { value, done } = (await reader?.read()) ?? { value: undefined, done: true };
      if (done || value === undefined) return;
      const blocks = (rest + value).split('\n\n');
      rest = blocks.pop() ?? '';
      for (const block of blocks) this.#block(block);
    }
  }

  #block(block: string): void {
    let data = '';
    for (const line of block.split('\n')) {
      if (line.startsWith('id:')) this.#last = Number(line.slice(3));
      else if (line.startsWith('data:')) data += line.slice(5);
    }
    if (data) this.onEvent(JSON.parse(data) as KernelEvent);
  }

  async #json<T>(path: string): Promise<T> {
    return (await this.#ask(path)).json() as Promise<T>;
  }

  #post(path: string, json: unknown = {}): Promise<Response> {
    return this.#ask(`/${path}`, { method: 'POST', json });
  }

  #ask(path: string, options: Parameters<typeof ask>[1] = {}): Promise<Response> {
    const headers = { Authorization: `Bearer ${this.token}` };
    return ask(`/api/repl${path}`, { ...options, headers });
  }
}
