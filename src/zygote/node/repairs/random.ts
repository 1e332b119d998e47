import { randomFillSync, randomInt, randomUUID } from 'node:crypto';

const BATCH = 256;
/** How many values lib/internal/crypto/random.js draws ahead: kBatchSize of randomUUID, 6 KiB by 6 bytes of randomInt. */
const UUIDS_AHEAD = 128;
const INTEGERS_AHEAD = 1024;

const ahead = new Uint32Array(2 * BATCH);
let next = ahead.length;

/**
 * In the zygote, before it loads anything of the user's: V8's generator is seeded once in a process and can't be seeded
 * again (MathRandom::RefillCache in V8's src/numbers/math-random.cc), so every child would draw the same numbers. This one
 * draws from OpenSSL, which reseeds itself in a process with another pid (openssl_get_fork_id in providers/implementations/rands).
 */
export function replaceRandom(): void {
  Math.random = function random(): number {
    if (next === ahead.length) {
      randomFillSync(ahead);
      next = 0;
    }
    const high = (ahead[next++] ?? 0) >>> 5;
    const low = (ahead[next++] ?? 0) >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  };
}

/** In a child: nothing that the zygote has drawn ahead is used. */
export function reseed(): void {
  next = ahead.length;
  // Whatever is left of a batch, so many values reach into the next one, and that one is the child's own.
  for (let drawn = 0; drawn < UUIDS_AHEAD; drawn++) randomUUID();
  for (let drawn = 0; drawn < INTEGERS_AHEAD; drawn++) randomInt(2);
}
