/** Durations and sizes as people write them. A bare number has no meaning here: 10 what? */

const msPerUnit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

const bytesPerUnit = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;

/** For schemas. Sixteen digits are those of Number.MAX_SAFE_INTEGER; how large a value may be is the key's affair. */
export const durationPattern = `^[0-9]{1,16}(${Object.keys(msPerUnit).join('|')})$`;
export const sizePattern = `^[0-9]{1,16}(${Object.keys(bytesPerUnit).join('|')})$`;

/** `parseDuration('10s')` is 10000 (ms). */
export function parseDuration(text: string): number {
  return parse(text, durationPattern, msPerUnit);
}

/** `parseSize('64KiB')` is 65536 (bytes). */
export function parseSize(text: string): number {
  return parse(text, sizePattern, bytesPerUnit);
}

/** The shortest text that `parseDuration` reads back as the same number of ms. */
export function formatDuration(ms: number): string {
  return format(ms, [
    ['d', msPerUnit.d],
    ['h', msPerUnit.h],
    ['m', msPerUnit.m],
    ['s', msPerUnit.s],
    ['ms', msPerUnit.ms],
  ]);
}

/** The text in binary units that `parseSize` reads back as the same number of bytes. */
export function formatSize(bytes: number): string {
  return format(bytes, [
    ['TiB', bytesPerUnit.TiB],
    ['GiB', bytesPerUnit.GiB],
    ['MiB', bytesPerUnit.MiB],
    ['KiB', bytesPerUnit.KiB],
    ['B', bytesPerUnit.B],
  ]);
}

function parse(text: string, pattern: string, factors: Readonly<Record<string, number>>): number {
  const unit = new RegExp(pattern).exec(text)?.[1];
  const factor = unit === undefined ? undefined : factors[unit];
  if (unit === undefined || factor === undefined) {
    throw new RangeError(`not a number with one of the units ${Object.keys(factors).join(', ')}: ${text}`);
  }
  return Number(text.slice(0, -unit.length)) * factor;
}

/** `units` from the largest to the smallest, which is 1 of what `amount` counts. */
function format(amount: number, units: readonly (readonly [name: string, factor: number])[]): string {
  const [name, factor] = units.find(([, factor]) => amount >= factor && amount % factor === 0) ??
    units.at(-1) ?? ['', 1];
  return `${amount / factor}${name}`;
}
