import { logBytes, numberOf } from './answer.ts';
import type { Dialer } from './dialer.ts';
import { openStream } from './stream.ts';

export interface FollowOptions {
  /** Where to begin, in bytes; negative: from the end. Default 0. */
  readonly offset?: number;
  /** Begin with what was written at this time (milliseconds of the epoch) instead. */
  readonly since?: number;
  readonly signal?: AbortSignal;
}

/** The log of a run as it grows, to its end. After a loss of the connection it goes on at the next byte. */
export async function* follow(
  dialer: Dialer,
  key: string,
  options: FollowOptions,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  let from: { readonly offset: number } | { readonly since: number } =
    options.since === undefined ? { offset: options.offset ?? 0 } : { since: options.since };
  const fields = () => ({ key, ...from, follow: true });
  for await (const item of openStream(dialer, { name: 'logs', fields }, signal)) {
    if (item.kind === 'begun') continue;
    const bytes = logBytes(item.fields);
    const offset = numberOf(item.fields, 'offset') ?? 0;
    const known = 'offset' in from && from.offset >= 0 ? from.offset : 0;
    // Everything has been pushed before the last answer; should that carry bytes too, they may be known already.
    const repeats = item.kind === 'answer' && offset < known;
    if (bytes.length > 0 && !repeats) {
      from = { offset: numberOf(item.fields, 'next_offset') ?? offset + bytes.length };
      yield bytes;
    }
    if (item.kind === 'answer') return;
  }
}
