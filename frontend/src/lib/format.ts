/** Numbers and names as the page shows them. */

/** 0.455 -> "0.46"; times in a file, with two decimals. */
export const clock = (seconds: number): string => seconds.toFixed(2);

/** A length: "0.64 s", "12.3 s", "3:05 min", "1:02:03 h". */
export function length(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  const two = (n: number) => String(n).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)} min`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)} h`;
}

/** 44100 -> "44.1 kHz". */
export const kilohertz = (rate: number): string => `${Number((rate / 1000).toFixed(3))} kHz`;

/** 1 -> "mono", 2 -> "stereo", 6 -> "6 channels". */
export const channelsName = (n: number): string =>
  n === 1 ? 'mono' : n === 2 ? 'stereo' : `${n} channels`;

/** 12000 -> "12 000", with a space that does not break. */
export const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, '\u202f');

/** 1 -> "1 sound", 2000 -> "2 000 sounds". */
export const count = (n: number, noun = 'sound'): string =>
  `${grouped(n)} ${noun}${n === 1 ? '' : 's'}`;

/** 81234567 -> "81 MB". */
export function bytes(n: number): string {
  if (n < 1e6) return `${Math.max(1, Math.round(n / 1e3))} kB`;
  return n < 1e9 ? `${Math.round(n / 1e6)} MB` : `${(n / 1e9).toFixed(1)} GB`;
}

/** 200 -> "3 minutes"; for estimates, so never more exact than it is. */
export function roughly(seconds: number): string {
  if (seconds < 50) return 'under a minute';
  if (seconds < 5400) return count(Math.max(1, Math.round(seconds / 60)), 'minute');
  return count(Math.round(seconds / 3600), 'hour');
}

/** Cut a name in two, so that its end stays to be seen when its middle is left out. */
export function halves(name: string, tail = 11): [string, string] {
  const letters = [...name];
  const cut = Math.max(0, letters.length - tail);
  return [letters.slice(0, cut).join(''), letters.slice(cut).join('')];
}

/** How alike, in whole percent. */
export const percent = (score: number): number => Math.round(score * 100);

/** Say that a file is larger than the server takes, and what to do. */
export function tooLarge(size: number, most: number, option: string): string {
  const mega = (n: number) => `${n} MB`;
  return (
    `It is ${mega(Math.ceil(size / 1e6))} and this server takes up to ${mega(Math.floor(most / 1e6))}. ` +
    `Cut out the second you mean, or start zounds serve with a higher ${option}.`
  );
}
