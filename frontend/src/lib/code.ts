/** Binary codes: base64 in addresses, bits on the page. */

/** Return the bits of a code, most significant first; null for what is not base64. */
export function bitsOf(code: string): Uint8Array | null {
  let packed: string;
  try {
    packed = atob(code.replaceAll('-', '+').replaceAll('_', '/'));
  } catch {
    return null;
  }
  const bits = new Uint8Array(packed.length * 8);
  for (let i = 0; i < bits.length; i++) bits[i] = (packed.charCodeAt(i >> 3) >> (7 - (i & 7))) & 1;
  return bits;
}

/** Return at which places two codes of one length differ. */
export function differences(one: Uint8Array, other: Uint8Array): Set<number> {
  const places = new Set<number>();
  for (let i = 0; i < one.length; i++) if (one[i] !== other[i]) places.add(i);
  return places;
}

/** Cut a code in the middle: "AIAAAAAAAA…AAEA==". */
export const shortCode = (code: string): string =>
  code.length > 20 ? `${code.slice(0, 10)}…${code.slice(-6)}` : code;
