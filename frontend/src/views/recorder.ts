/** Searching with what the microphone hears. */

import { surface } from '../lib/canvas';
import { byId, fill, h } from '../lib/dom';
import { colour } from '../theme';
import type { Context } from './context';

const MOST = 30; // s
const BARS = 4; // px from one bar of the picture to the next

export interface Recorder {
  start: () => Promise<void>;
  /** Give up; says whether there was something to give up. */
  cancel: () => boolean;
}

export function mountRecorder({ app, player }: Context): Recorder {
  const section = byId('recording');
  const time = h('p.time', {}, '0:00.0');
  const canvas = h('canvas', { 'aria-hidden': 'true' });
  const stop = h('button.button.solid', {}, 'Stop and search');
  const cancel = h('button.button.line', {}, 'Cancel');
  fill(
    section,
    h(
      'div',
      {},
      time,
      h('p.facts', {}, `Sent only to the zounds server you opened. Stops at 0:${MOST}.`),
    ),
    canvas,
    h('div.acts', {}, stop, cancel),
  );
  let recording: { recorder: MediaRecorder; wanted: boolean } | null = null;

  const start = async () => {
    if (recording) return;
    player.stop();
    let stream: MediaStream;
    try {
      // what is searched with shall be what is heard, not what a telephone makes of it
      const audio = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };
      stream = await navigator.mediaDevices.getUserMedia({ audio });
    } catch (error) {
      app.refuse('Nothing was recorded.', whyNot(error));
      return;
    }
    const parts: Blob[] = [];
    const recorder = new MediaRecorder(stream);
    const now = { recorder, wanted: true };
    recording = now;
    section.hidden = false;
    stop.focus();
    const watch = watchLevel(stream, canvas, time, () => recorder.stop());
    recorder.addEventListener('dataavailable', event => parts.push(event.data));
    recorder.addEventListener('stop', () => {
      watch();
      for (const track of stream.getTracks()) track.stop();
      section.hidden = true;
      recording = null;
      if (!now.wanted) return;
      const hour = new Date().toTimeString().slice(0, 5);
      const kind = recorder.mimeType.includes('mp4') ? 'm4a' : 'webm';
      const sound = new Blob(parts, { type: recorder.mimeType });
      void app.upload(sound, `recording ${hour}.${kind}`);
    });
    recorder.start();
  };
  const giveUp = () => {
    if (!recording) return false;
    recording.wanted = false;
    recording.recorder.stop();
    return true;
  };
  stop.addEventListener('click', () => recording?.recorder.stop());
  cancel.addEventListener('click', giveUp);
  return { start, cancel: giveUp };
}

/** Draw how loud it was, and count the time; returns what ends it. */
function watchLevel(
  stream: MediaStream,
  canvas: HTMLCanvasElement,
  time: HTMLElement,
  onFull: () => void,
): () => void {
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  context.createMediaStreamSource(stream).connect(analyser);
  const samples = new Float32Array(analyser.fftSize);
  const levels: number[] = [];
  const began = performance.now();
  let frame = 0;
  const draw = () => {
    frame = requestAnimationFrame(draw);
    const seconds = (performance.now() - began) / 1000;
    time.textContent = `${Math.floor(seconds / 60)}:${(seconds % 60).toFixed(1).padStart(4, '0')}`;
    analyser.getFloatTimeDomainData(samples);
    const peak = samples.reduce((most, one) => Math.max(most, Math.abs(one)), 0);
    const on = surface(canvas);
    if (on) {
      const { context: pen, width, height, scale } = on;
      const bars = Math.floor(width / (BARS * scale));
      const bar = Math.floor((seconds / MOST) * bars);
      levels[bar] = Math.max(levels[bar] ?? 0, peak);
      for (let i = 0; i < bars; i++) {
        const tall = Math.max(1.5 * scale, (levels[i] ?? 0) ** 0.5 * height * 0.95);
        pen.fillStyle = colour(i <= bar ? 'wave-2' : 'line');
        pen.fillRect(i * BARS * scale, (height - tall) / 2, 2 * scale, tall);
      }
      pen.fillStyle = colour('bad');
      pen.fillRect(bar * BARS * scale + 3 * scale, 0, 1.5 * scale, height);
    }
    if (seconds >= MOST) onFull();
  };
  draw();
  return () => {
    cancelAnimationFrame(frame);
    void context.close();
  };
}

function whyNot(error: unknown): string {
  const name = error instanceof DOMException ? error.name : '';
  if (!navigator.mediaDevices)
    return 'Browsers give the microphone to local or encrypted pages only: open this one as 127.0.0.1 or by https.';
  if (name === 'NotAllowedError')
    return 'The browser did not let this page use the microphone: allow it beside the address, then record again.';
  if (name === 'NotFoundError') return 'There is no microphone: connect one, then record again.';
  return `The microphone cannot be used: ${error instanceof Error ? error.message : String(error)}`;
}
