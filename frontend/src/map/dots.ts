/** The dots of the map: by WebGL where there is such a thing, else one after the other. */

import { surface } from '../lib/canvas';
import { HUES } from '../lib/folders';
import { colour, rgb } from '../theme';
import { type Camera, type Size, scales, toWindow } from './camera';

/** A dot has a hue, and is strong (2), usual (1) or faint (0). */
export interface Dots {
  x: Float32Array;
  y: Float32Array;
  hue: Uint8Array;
  strength: Uint8Array;
}

export interface DotCanvas {
  /** Take other dots, or the same with other hues and strengths. */
  set: (dots: Dots) => void;
  draw: (camera: Camera, size: Size) => void;
}

const RADIUS = 2.7; // px
const STRONG = 1.55; // times that
const FAINT = 0.1;
const USUAL = 0.82;

const VERTEX = `#version 300 es
in float x;
in float y;
in uint hue;
in uint strength;
uniform vec2 centre;
uniform vec2 scale;
uniform float size;
uniform vec3 palette[${HUES + 1}];
out vec4 colour;
void main() {
  gl_Position = vec4((vec2(x, y) - centre) * scale, 0.0, 1.0);
  gl_PointSize = size * (strength == 2u ? ${STRONG} : 1.0);
  colour = vec4(palette[hue], strength == 0u ? ${FAINT} : ${USUAL});
}`;

const FRAGMENT = `#version 300 es
precision highp float;
in vec4 colour;
uniform float size;
out vec4 pixel;
void main() {
  float edge = (0.5 - length(gl_PointCoord - 0.5)) * size;
  float alpha = colour.a * clamp(edge, 0.0, 1.0);
  pixel = vec4(colour.rgb * alpha, alpha);
}`;

/** Return what draws dots on a canvas. */
export function dotCanvas(canvas: HTMLCanvasElement): DotCanvas {
  const gl = canvas.getContext('webgl2', { antialias: false, preserveDrawingBuffer: false });
  return gl ? withWebGl(canvas, gl) : onebyOne(canvas);
}

/** Return how large a dot is; of many more than these, each is smaller, or none could be told. */
function radius(count: number, zoom: number, { width }: Size, scale: number): number {
  const room = Math.max(0.4, Math.min(1, Math.sqrt(20_000 / count)));
  return RADIUS * room * scale * (width > 900 ? 1.15 : 0.9) * Math.min(1.6, Math.sqrt(zoom));
}

function withWebGl(canvas: HTMLCanvasElement, gl: WebGL2RenderingContext): DotCanvas {
  const program = gl.createProgram();
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind) as WebGLShader;
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    gl.attachShader(program, shader);
  }
  gl.linkProgram(program);
  if (!gl.getProgramParameter(program, gl.LINK_STATUS))
    throw new Error(`the map cannot be drawn: ${gl.getProgramInfoLog(program)}`);
  gl.useProgram(program);
  gl.enable(gl.BLEND);
  gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA);
  const uniform = (name: string) => gl.getUniformLocation(program, name);
  const uniforms = {
    centre: uniform('centre'),
    scale: uniform('scale'),
    size: uniform('size'),
    palette: uniform('palette'),
  };
  const buffers = new Map<string, WebGLBuffer>();
  const attribute = (name: string, values: Float32Array | Uint8Array) => {
    let buffer = buffers.get(name);
    if (!buffer) {
      buffer = gl.createBuffer();
      buffers.set(name, buffer);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer);
    gl.bufferData(gl.ARRAY_BUFFER, values, gl.DYNAMIC_DRAW);
    const at = gl.getAttribLocation(program, name);
    gl.enableVertexAttribArray(at);
    if (values instanceof Float32Array) gl.vertexAttribPointer(at, 1, gl.FLOAT, false, 0, 0);
    else gl.vertexAttribIPointer(at, 1, gl.UNSIGNED_BYTE, 0, 0);
  };
  let count = 0;
  return {
    set: ({ x, y, hue, strength }) => {
      count = x.length;
      attribute('x', x);
      attribute('y', y);
      attribute('hue', hue);
      attribute('strength', strength);
    },
    draw: (camera, size) => {
      const sharp = Math.min(3, devicePixelRatio || 1);
      const [width, height] = [Math.round(size.width * sharp), Math.round(size.height * sharp)];
      if (canvas.width !== width) canvas.width = width;
      if (canvas.height !== height) canvas.height = height;
      const [a, b] = scales(camera, size);
      gl.viewport(0, 0, width, height);
      gl.clearColor(0, 0, 0, 0);
      gl.clear(gl.COLOR_BUFFER_BIT);
      gl.uniform2f(uniforms.centre, camera.x, camera.y);
      gl.uniform2f(uniforms.scale, (2 * a) / size.width, (2 * b) / size.height);
      gl.uniform1f(uniforms.size, 2 * radius(count, camera.zoom, size, sharp));
      gl.uniform3fv(uniforms.palette, palette());
      gl.drawArrays(gl.POINTS, 0, count);
    },
  };
}

const hueNames = [...Array.from({ length: HUES }, (_, i) => `f${i}`), 'ink-3'];

const palette = (): number[] => hueNames.flatMap(name => rgb(name).map(one => one / 255));

function onebyOne(canvas: HTMLCanvasElement): DotCanvas {
  let dots: Dots | null = null;
  return {
    set: given => {
      dots = given;
    },
    draw: (camera, size) => {
      const on = surface(canvas);
      if (!on || !dots) return;
      const { context, scale } = on;
      const colours = hueNames.map(colour);
      const usual = radius(dots.x.length, camera.zoom, size, scale);
      for (let i = 0; i < dots.x.length; i++) {
        const place = [dots.x[i] as number, dots.y[i] as number] as const;
        const [x, y] = toWindow(place, camera, size);
        if (x < 0 || y < 0 || x > size.width || y > size.height) continue;
        const strength = dots.strength[i];
        const r = usual * (strength === 2 ? STRONG : 1);
        context.globalAlpha = strength ? USUAL : FAINT;
        context.fillStyle = colours[dots.hue[i] as number] as string;
        context.fillRect(x * scale - r, y * scale - r, 2 * r, 2 * r);
      }
      context.globalAlpha = 1;
    },
  };
}
