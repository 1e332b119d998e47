// A job that computes and makes next to no garbage: prime numbers by a sieve, and a chain of small steps.
const LIMIT = 4_000_000;
const ROUNDS = 12;

export function compute() {
  let value = 0;
  for (let round = 0; round < ROUNDS; round++) {
    value = steps(value + primes());
  }
  return value;
}

function primes() {
  const composite = new Uint8Array(LIMIT);
  let count = 0;
  for (let number = 2; number < LIMIT; number++) {
    if (composite[number] === 1) continue;
    count++;
    for (let multiple = 2 * number; multiple < LIMIT; multiple += number) composite[multiple] = 1;
  }
  return count;
}

function steps(from) {
  let value = from;
  for (let step = 0; step < 80_000_000; step++) value = (Math.imul(value, 1_103_515_245) + 12_345) | 0;
  return value;
}
