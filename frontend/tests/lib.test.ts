import { describe, expect, it } from 'vitest';
import { nothing, readAddress, sameSpan, writeAddress } from '../src/lib/address';
import { bitsOf, differences } from '../src/lib/code';
import { type Filters, held, noFilters, readFilters } from '../src/lib/filters';
import { checked, folderTree, hueGroups, hueOf, isIn, toggled } from '../src/lib/folders';
import { grouped, halves, length, roughly } from '../src/lib/format';
import { moveTo } from '../src/lib/moves';
import { Queue } from '../src/lib/queue';
import { between, isWhole, moved, resized } from '../src/lib/region';
import { Cache } from '../src/lib/cache';
import { above, fitted, inside, toMap, toWindow, zoomed } from '../src/map/camera';

const CODE = 'AIAAAAAAAAAAQAAAAAAAEA==';

describe('the address', () => {
  it('is read as it was written', () => {
    const address = {
      code: 'a+b/c===',
      sound: { id: 'upload-7 ~&=', span: [1.25, 2] as const },
      more: [
        { id: 'x', span: null },
        { id: 'y', span: [0, 0.5] as const },
      ],
      less: [{ id: 'z', span: null }],
      unit: 'segment' as const,
      like: null,
    };
    expect(readAddress(writeAddress(address, noFilters).slice(1))).toEqual(address);
    const same = { ...address, more: [], less: [], like: 'same' as const };
    expect(readAddress(writeAddress(same, noFilters).slice(1))).toEqual(same);
  });

  it.each<Partial<Filters>>([
    {},
    { folders: ['a & b/.', 'ü', '.'] },
    { folders: [] },
    { seconds: [0.25, 2] },
    { seconds: [0, 0.5] },
    { seconds: [3, Number.POSITIVE_INFINITY] },
    { samplerates: [44100, 11025.5], channels: [1, 2], text: 'x=1&y' },
  ])('holds the filters %j', some => {
    const filters = { ...noFilters, ...some };
    const written = writeAddress({ ...nothing, code: CODE }, filters);
    expect(readFilters(written.slice(1))).toEqual(filters);
    expect(readAddress(written.slice(1)).code).toBe(CODE);
  });

  it('leaves out filters that make no sense', () => {
    const asked = '?min_seconds=soon&samplerate=-1&channels=1.5&channels=2&max_seconds=&text=';
    expect(readFilters(asked)).toEqual({ ...noFilters, channels: [2] });
  });

  it('compares several sounds by kind', () => {
    expect(readAddress('?sound=x&more=y&like=same').like).toBeNull();
    expect(readAddress('?sound=x&like=nonsense').like).toBeNull();
  });

  it.each([
    ['plain', `?query=${CODE}`],
    ['once encoded', `?query=${encodeURIComponent(CODE)}`],
    ['twice encoded', `?query=${encodeURIComponent(encodeURIComponent(CODE))}`],
  ])('holds a code, %s', (_, search) => {
    expect(readAddress(search).code).toBe(CODE);
  });

  it('keeps the plus signs of base64', () => {
    expect(readAddress('?query=a+b').code).toBe('a+b');
  });

  it('leaves out what makes no sense', () => {
    expect(readAddress('?sound=x~2~1&more=').sound).toEqual({ id: 'x', span: null });
    expect(readAddress('?more=&unit=nonsense')).toMatchObject({ more: [], unit: null });
    expect(writeAddress(readAddress(''), readFilters(''))).toBe('/');
  });

  it('tells stretches apart by a hundredth of a second', () => {
    expect(sameSpan([1, 2], [1.004, 2])).toBe(true);
    expect(sameSpan([1, 2], [1.02, 2])).toBe(false);
    expect(sameSpan(null, [0, 1])).toBe(false);
  });
});

describe('a code', () => {
  it('has its most significant bit first', () => {
    const bits = bitsOf(CODE);
    expect(bits?.length).toBe(128);
    expect([...(bits ?? [])].flatMap((bit, i) => (bit ? [i] : []))).toEqual([8, 73, 123]);
  });

  it('may be in the alphabet of addresses', () => {
    expect(bitsOf('-_-_')).toEqual(bitsOf('+/+/'));
    expect(bitsOf('§')).toBeNull();
  });

  it('differs from another at some places', () => {
    expect([...differences(Uint8Array.of(1, 0, 1), Uint8Array.of(1, 1, 0))]).toEqual([1, 2]);
  });
});

describe('a region', () => {
  it('is in the sound, whichever way it is dragged', () => {
    expect(between(2, -1, 4)).toEqual([0, 2]);
    expect(between(5, 1, 4)).toEqual([1, 4]);
  });

  it('is never too short to have a timbre', () => {
    expect(between(1, 1, 4)[1]).toBeCloseTo(1.05);
    expect(resized([1, 2], 0, 3, 4)[0]).toBeCloseTo(1.95);
    expect(between(0, 0, 0.02)).toEqual([0, 0.02]);
  });

  it('keeps its length when it is moved to the end', () => {
    expect(moved([1, 2], 9, 4)).toEqual([3, 4]);
  });

  it('is the whole sound when hardly anything is missing', () => {
    expect(isWhole([0, 3.99], 4)).toBe(true);
    expect(isWhole([0, 3], 4)).toBe(false);
  });
});

describe('keys', () => {
  it.each([
    ['ArrowDown', 4, 1, 5],
    ['ArrowDown', 4, 3, 7],
    ['ArrowUp', 1, 3, 0],
    ['ArrowRight', 4, 3, 5],
    ['ArrowRight', 4, 1, null],
    ['j', 9, 3, 9],
    ['End', 0, 1, 9],
    ['z', 0, 1, null],
  ])('%s from %i in %i columns', (key, from, columns, to) => {
    expect(moveTo(key, from, 10, columns)).toBe(to);
  });

  it('lead nowhere in an empty list', () => {
    expect(moveTo('End', 0, 0)).toBeNull();
  });
});

describe('folders', () => {
  const tree = folderTree([
    { folder: 'a/x', documents: 5 },
    { folder: 'a/y', documents: 3 },
    { folder: 'b', documents: 4 },
    { folder: 'c/d/e', documents: 1 },
    { folder: 'none', documents: 0 },
  ]);

  it('become a tree without empty ones, single lines folded', () => {
    expect(tree.map(({ name, count }) => [name, count])).toEqual([
      ['a', 8],
      ['b', 4],
      ['c/d/e', 1],
    ]);
  });

  it('are unticked one by one, and ticked together again', () => {
    const without = toggled(tree, null, 'a/x');
    expect(without).toEqual(['a/y', 'b', 'c/d/e']);
    expect(checked(tree[0] as never, without)).toBe('mixed');
    expect(toggled(tree, without, 'a/x')).toBeNull();
    expect(toggled(tree, without, 'a')).toBeNull();
    expect(toggled(tree, ['b'], 'b')).toEqual([]);
  });

  it('can be ticked apart from what is directly in them', () => {
    const mixed = folderTree([
      { folder: '', documents: 1 },
      { folder: 'a', documents: 2 },
      { folder: 'a/x', documents: 3 },
      { folder: 'b', documents: 4 },
    ]);
    expect(mixed.map(({ path, count }) => [path, count])).toEqual([
      ['a', 5],
      ['b', 4],
      ['.', 1],
    ]);
    expect(mixed[0]?.children.map(one => one.path)).toEqual(['a/x', 'a/.']);
    expect(toggled(mixed, null, 'a/x')).toEqual(['a/.', 'b', '.']);
    expect(checked(mixed[0] as never, ['a/.'])).toBe('mixed');
    expect(toggled(mixed, ['a/.', 'b', '.'], 'a/x')).toBeNull();
    const passed = ['', 'a', 'a/x', 'ab', 'b'].map(folder => isIn(folder, 'a/.'));
    expect(passed).toEqual([false, true, false, false, false]);
    expect([isIn('', '.'), isIn('a', '.'), isIn('a', 'a'), isIn('a', '')]).toEqual([
      true,
      false,
      true,
      true,
    ]);
    const groups = hueGroups(mixed);
    expect(new Set(['', 'a', 'a/x', 'b'].map(folder => hueOf(folder, groups))).size).toBe(4);
  });

  it('have hues as far as there are hues', () => {
    const groups = hueGroups(tree);
    expect(groups.map(group => group.path)).toEqual(['a/x', 'a/y', 'b', 'c/d/e']);
    expect(hueOf('a/y/deeper', groups)).toBe(1);
    expect(hueOf('elsewhere', groups)).toBe(-1);
    const many = folderTree(
      Array.from({ length: 30 }, (_, i) => ({ folder: `f${i}`, documents: i + 1 })),
    );
    expect(hueGroups(many).map(group => group.count)).toEqual([22, 23, 24, 25, 26, 27, 28, 29, 30]);
  });
});

describe('words', () => {
  it('say which filters hold, and what is left without each', () => {
    const filters = {
      ...noFilters,
      folders: ['a/.'],
      seconds: [0, 0.2] as const,
      channels: [1, 2],
    };
    expect(held(filters).map(one => one.words)).toEqual([
      'a itself',
      'under 0.2 s',
      'mono',
      'stereo',
    ]);
    expect(held(filters)[2]?.removed).toEqual({ channels: [2] });
    expect(held(noFilters)).toEqual([]);
  });

  it('say lengths as they are said', () => {
    expect([0.638, 12.34, 185, 3723].map(length)).toEqual([
      '0.64 s',
      '12.3 s',
      '3:05 min',
      '1:02:03 h',
    ]);
    expect([30, 200, 8000].map(roughly)).toEqual(['under a minute', '3 minutes', '2 hours']);
    expect(grouped(1234567)).toBe('1\u202f234\u202f567');
  });

  it('cut names before their end, between letters', () => {
    expect(halves('Kick_long_name_07.wav')).toEqual(['Kick_long_', 'name_07.wav']);
    expect(halves('🥁'.repeat(12))).toEqual(['🥁', '🥁'.repeat(11)]);
  });
});

describe('the map', () => {
  const size = { width: 800, height: 500 };

  it('shows a place where it is looked for', () => {
    const camera = { x: 0.2, y: -0.1, zoom: 3 };
    const [x, y] = toMap(toWindow([0.5, 0.4], camera, size), camera, size);
    expect([x, y]).toEqual([expect.closeTo(0.5), expect.closeTo(0.4)]);
  });

  it('zooms at the pointer', () => {
    const before = { x: 0, y: 0, zoom: 1 };
    const place = toMap([100, 50], before, size);
    const [x, y] = toWindow(place, zoomed(before, 2, [100, 50], size), size);
    expect([x, y]).toEqual([expect.closeTo(100), expect.closeTo(50)]);
  });

  it('does not make most of it small for a few that are far', () => {
    const x = Float32Array.from({ length: 100 }, (_, i) => (i ? (i - 50) / 500 : 1));
    expect(fitted(x, x).zoom).toBeGreaterThan(5);
    expect(fitted(new Float32Array(), new Float32Array()).zoom).toBe(1);
  });

  it('leaves room at its foot', () => {
    const camera = { x: 0, y: 0, zoom: 1 };
    const [, bottom] = toWindow([0, -1], above(camera, 100, size), size);
    expect(bottom).toBeLessThan(size.height - 100);
  });

  it('knows what a lasso holds', () => {
    const square = [
      [0, 0],
      [1, 0],
      [1, 1],
      [0, 1],
    ] as const;
    expect(inside([0.5, 0.5], square)).toBe(true);
    expect(inside([1.5, 0.5], square)).toBe(false);
    expect(inside([0, 0], [])).toBe(false);
  });
});

describe('what waits', () => {
  it('runs a few at a time, the latest first', async () => {
    const queue = new Queue(1);
    const ran: number[] = [];
    const job = (n: number) => queue.run(async () => void ran.push(n));
    await Promise.all([1, 2, 3].map(job));
    expect(ran).toEqual([1, 3, 2]);
  });

  it('is remembered until it weighs too much', async () => {
    const cache = new Cache<string>(5, text => text.length);
    const made: string[] = [];
    const get = (key: string) => cache.get(key, async () => (made.push(key), key));
    for (const key of ['aa', 'bb', 'aa', 'cc', 'bb', 'aa']) await get(key);
    expect(made).toEqual(['aa', 'bb', 'cc', 'bb', 'aa']);
  });

  it('is tried again after a failure', async () => {
    const cache = new Cache<string>(5);
    await expect(cache.get('x', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    expect(await cache.get('x', async () => 'yes')).toBe('yes');
  });
});
