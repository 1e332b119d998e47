import crypto, { randomBytes, randomFillSync } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

const BATCH = 256;

const ahead = new Uint32Array(2 * BATCH);
let next = ahead.length;

/**
 * In the zygote, before it loads anything of the user's: what Node and V8 draw ahead, or have been seeded with, would be
 * the same in every child. OpenSSL reseeds itself in a process with another pid (openssl_get_fork_id in
 * providers/implementations/rands), so all of it is drawn from there.
 */
export function replaceRandom(): void {
  Math.random = random;
  const { randomUUID, randomInt } = crypto;
  // 128 of them are drawn ahead, unless told not to: kBatchSize in lib/internal/crypto/random.js.
  const uuid: typeof randomUUID = (options) => randomUUID({ ...options, disableEntropyCache: true });
  crypto.randomUUID = uuid;
  Object.defineProperty(Object.getPrototypeOf(crypto.webcrypto), 'randomUUID', {
    value: function randomUUID() {
      return uuid();
    },
    configurable: true,
    enumerable: true,
    writable: true,
  });
  crypto.randomInt = integersOf(randomInt);
  syncBuiltinESMExports(); // import { randomUUID } from 'node:crypto'
}

/** In a child: nothing that the zygote has drawn ahead is used. */
export function reseed(): void {
  next = ahead.length;
}

/** V8's generator is seeded once in a process: MathRandom::RefillCache in V8's src/numbers/math-random.cc. */
function random(): number {
  if (next === ahead.length) {
    randomFillSync(ahead);
    next = 0;
  }
  const high = (ahead[next++] ?? 0) >>> 5;
  const low = (ahead[next++] ?? 0) >>> 6;
  return (high * 2 ** 26 + low) / 2 ** 53;
}

type Told = (error: Error | null, value: number) => void;

/** randomInt without the 6 KiB that Node's own draws ahead; which is still asked, to judge what it is given. */
function integersOf(judge: (min: number, max: number) => number): typeof crypto.randomInt {
  return function randomInt(...given: (number | Told | undefined)[]): number | undefined {
    const told = given.findLast((each) => typeof each === 'function');
    const [first = 0, second] = given.filter((each) => typeof each !== 'function');
    const [min, max] = second === undefined ? [0, first] : [first, second];
    judge(min, max);
    const value = min + below(max - min);
    if (told === undefined) return value;
    process.nextTick(told, undefined, value);
    return undefined;
  } as typeof crypto.randomInt;
}

/** Every value below `range` as likely as any: those at the end that would favour the first ones are drawn again. */
function below(range: number): number {
  const limit = 2 ** 48 - (2 ** 48 % range);
  for (;;) {
    const drawn = randomBytes(6).readUIntBE(0, 6);
    if (drawn < limit) return drawn % range;
  }
}
