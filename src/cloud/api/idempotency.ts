import { createHash } from 'node:crypto';
import { type Store, uuidV5 } from '../store/index.ts';
import type { Asker } from './auth.ts';
import { ApiError } from './errors.ts';

const KEPT_MS = 86_400_000;
/** Any UUID: the namespace of keys of runs that requests with an Idempotency-Key make. */
const RUNS = 'b8e0a7f2-58f8-4a3f-9a51-1f0d4a4e6c10';

/** Of an Idempotency-Key, the key of the run that the request makes: however often it is sent, it is this one. */
export function runKeyOf(asker: Asker, key: string): string {
  return uuidV5(RUNS, `${asker.name}/${key}`);
}

/**
 * Does what a request wants once for each key, within a day; a second time the first answer is given again.
 * Throws `in_progress` where the first is not answered yet, `key_in_use` where it was another request.
 */
export async function once<T>(
  store: Store,
  {
    asker,
    key,
    request,
    nowMs,
  }: { readonly asker: Asker; readonly key: string; readonly request: string; readonly nowMs: number },
  act: () => Promise<T>,
): Promise<T> {
  if (key.length > 255)
    throw new ApiError(422, 'invalid_request', 'Idempotency-Key: has 255 characters at most');
  const name = `${asker.name}/${key}`;
  const hash = createHash('sha256').update(request).digest('hex');
  const claim = await store.idempotencyKeys.claim<T>(name, hash, nowMs, nowMs + KEPT_MS);
  switch (claim.state) {
    case 'answered':
      return claim.answer;
    case 'other':
      throw new ApiError(409, 'key_in_use', 'The Idempotency-Key was used for another request');
    case 'pending':
      throw new ApiError(409, 'in_progress', 'A request with this Idempotency-Key is being dealt with', {
        detail: 'send it again in a moment',
      });
    case 'new':
      break;
  }
  try {
    const answer = await act();
    await store.idempotencyKeys.answer(name, answer);
    return answer;
  } catch (error) {
    await store.idempotencyKeys.forget(name);
    throw error;
  }
}
