/**
 * Plays stretches of sounds, one at a time.
 *
 * Stretches up to `SHORT` are fetched and decoded before they are needed, and start and loop without
 * a gap; what is longer is streamed by an audio element.
 */

import type { Span } from './lib/address';
import { api } from './lib/api';
import { Cache } from './lib/cache';
import { Store } from './lib/store';

/** A stretch of a sound to hear. */
export interface Clip {
  /** Whose play button it is: one clip at a time is playing under a key. */
  key: string;
  id: string;
  name: string;
  span: Span;
  /** The whole sound [s]. */
  seconds: number;
}

interface Playing {
  clip: Clip | null;
  /** Why the last clip cannot be heard. */
  fault: string;
}

const SHORT = 30;
const FADE = 0.004; // s: long enough that a cut does not click
const CACHED = 64 << 20; // bytes of decoded samples

export class Player extends Store<Playing> {
  loop = false;
  #context = new AudioContext({ latencyHint: 'interactive' });
  #gain = this.#context.createGain();
  #element = new Audio();
  #source: AudioBufferSourceNode | null = null;
  #fade: GainNode | null = null;
  #started = 0;
  #ended: ((clip: Clip) => void) | null = null;
  #turn = 0;
  #buffers = new Cache<AudioBuffer>(CACHED, buffer => buffer.length * buffer.numberOfChannels * 4);

  constructor(volume: number) {
    super({ clip: null, fault: '' });
    this.#gain.connect(this.#context.destination);
    this.#context.createMediaElementSource(this.#element).connect(this.#gain);
    this.#element.preload = 'auto';
    this.#element.addEventListener('ended', () => this.#end());
    this.volume = volume;
  }

  /** How loud, from 0 to 1; half way is half as loud. */
  set volume(value: number) {
    this.#gain.gain.value = value ** 2;
  }

  /** Call a function when a clip was heard to its end. */
  onEnd(listener: (clip: Clip) => void): void {
    this.#ended = listener;
  }

  /** Have stretches ready to be heard. */
  prefetch(clips: readonly Clip[]): void {
    for (const clip of clips) if (length(clip) <= SHORT) this.#buffer(clip).catch(() => undefined); // told when played
  }

  /** Play a clip in place of what is playing. */
  async play(clip: Clip): Promise<void> {
    const turn = ++this.#turn;
    this.#silence();
    this.set({ clip, fault: '' });
    try {
      await this.#context.resume();
      if (length(clip) > SHORT) return await this.#stream(clip);
      const buffer = await this.#buffer(clip);
      if (turn === this.#turn) this.#start(buffer);
    } catch (error) {
      if (turn !== this.#turn) return;
      const why = error instanceof Error ? error.message : String(error);
      this.set({ clip: null, fault: `${clip.name} cannot be played: ${why}` });
    }
  }

  stop(): void {
    this.#turn++;
    this.#silence();
    this.set({ clip: null });
  }

  /** Play, or stop if that clip is the one that plays. */
  toggle(clip: Clip): void {
    if (this.value.clip?.key === clip.key) this.stop();
    else void this.play(clip);
  }

  /** Where in the sound we are [s]; null before it can be heard. */
  get position(): number | null {
    const { clip } = this.value;
    if (!clip) return null;
    if (this.#source) {
      const since = this.#context.currentTime - this.#started - this.#context.baseLatency;
      return clip.span[0] + Math.max(0, since % length(clip));
    }
    return this.#element.src ? clip.span[0] + this.#element.currentTime : null;
  }

  #buffer(clip: Clip): Promise<AudioBuffer> {
    const address = api.audio(clip.id, clip.span);
    return this.#buffers.get(address, async () => {
      const response = await fetch(address, { priority: 'high' });
      if (!response.ok) {
        const body = await response.json().catch(() => null);
        throw new Error(body?.error?.message ?? `the server answered ${response.status}`);
      }
      return this.#context.decodeAudioData(await response.arrayBuffer());
    });
  }

  #start(buffer: AudioBuffer): void {
    const source = this.#context.createBufferSource();
    const fade = this.#context.createGain();
    source.buffer = buffer;
    source.loop = this.loop;
    source.connect(fade).connect(this.#gain);
    source.addEventListener('ended', () => source === this.#source && this.#end());
    this.#source = source;
    this.#fade = fade;
    this.#started = this.#context.currentTime;
    source.start();
  }

  async #stream(clip: Clip): Promise<void> {
    this.#element.src = api.audio(clip.id, clip.span);
    this.#element.loop = this.loop;
    await this.#element.play();
  }

  #silence(): void {
    const now = this.#context.currentTime;
    this.#fade?.gain.setTargetAtTime(0, now, FADE / 4);
    this.#source?.stop(now + FADE);
    this.#source = this.#fade = null;
    if (this.#element.src) {
      this.#element.pause();
      this.#element.removeAttribute('src');
      this.#element.load();
    }
  }

  #end(): void {
    const { clip } = this.value;
    this.#silence();
    this.set({ clip: null });
    if (clip) this.#ended?.(clip);
  }
}

const length = (clip: Clip): number => clip.span[1] - clip.span[0];
