// npm run fuzz [-- INPUTS [SEED]]: random and mutated inputs against framing and parser, in this process.
// Whatever comes in, the answer is lines, a request, or a RocksyError; else the input is printed and the exit code is 1.
import { LineFramer, parseLine, RocksyError } from '../src/wire/index.ts';
import { parseRequest } from '../src/wire/requests/index.ts';

const MAX_LINE_BYTES = 4_096;

/** What is mutated: requests as they should be, and some that are close to a border. */
const SEEDS = [
  'hello {"token":"secret"}',
  'run {"hash":18446744073709551615,"class":"App\\\\Report","params":[1,1.50,-0,1e400,{"a":[null,true]}]}',
  'run {"id":1,"key":"report 7","argv":["sh","-c","exit 3"],"env":{"LANG":"C"},"cwd":"/","timeout_ms":1e3}',
  'check {"hash":"12"}',
  'status {"id":"é😀","key":"k"}',
  'list {"state":"active","limit":10,"before":"7","pool":"os"}',
  'wait {"key":"k","timeout_ms":100}',
  'signal {"key":"k","signal":"SIGTERM"}',
  'logs {"id":2,"key":"k","offset":-10,"length":100,"since":0,"follow":true}',
  'subscribe {"id":3,"events":["queued","exited"],"key":"\\ud83d\\ude00"}',
  'unsubscribe {"subscription":12345678901234567890}',
  'drain {"pool":"os","on":false}',
  'stats',
  'bye {}\r',
  `run {"key":"deep","class":"C","params":${'['.repeat(99)}${']'.repeat(99)}}`,
  `check {"hash":${'9'.repeat(300)}}`,
  'GET / HTTP/1.1\r',
];

/** What is put in: bytes on which a parser may trip. */
const MORSELS = [
  ...[
    '{',
    '}',
    '[',
    ']',
    '"',
    ':',
    ',',
    '\\',
    ' ',
    '\n',
    '\r\n',
    '\0',
    '-',
    '.',
    'e',
    '0',
    '1e999',
    '-0',
    'null',
  ],
  ...[
    '\\u0000',
    '\\ud800',
    '\\udc00',
    '"__proto__":',
    '"constructor":',
    '"id":',
    '"key":',
    '"hash":',
    'true',
  ],
  ...['[[[[[[[[', '{"a":{"a":', '99999999999999999999', '"rawJSON":"1"', 'é', '\u2028', '\ufeff'],
].map((morsel) => Buffer.from(morsel));
const BAD_UTF8 = [Buffer.from([0xff]), Buffer.from([0xc0, 0x80]), Buffer.from([0xed, 0xa0, 0x80])];

/** sfc32: a small good generator, so that a seed gives the same inputs everywhere. */
class Dice {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    this.#state = Uint32Array.of(seed, seed >>> 7, 0x9e3779b9, 1);
    for (let i = 0; i < 12; i++) this.next();
  }

  next(): number {
    const s = this.#state;
    const [a = 0, b = 0, c = 0, d = 0] = s;
    const sum = (a + b + d) >>> 0;
    s.set([b ^ (b >>> 9), c + (c << 3), ((c << 21) | (c >>> 11)) + sum, d + 1]);
    return sum;
  }

  below(limit: number): number {
    return this.next() % limit;
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)] as T;
  }
}

function randomBytes(dice: Dice): Buffer {
  const bytes = Buffer.allocUnsafe(dice.below(120));
  for (let i = 0; i < bytes.length; i++) bytes[i] = dice.next();
  return bytes;
}

function mutate(dice: Dice, input: Buffer): Buffer {
  const at = dice.below(input.length + 1);
  const to = Math.min(input.length, at + dice.below(12));
  const [head, tail] = [input.subarray(0, at), input.subarray(at)];
  switch (dice.below(6)) {
    case 0:
      return Buffer.concat([head, dice.pick(MORSELS), tail]);
    case 1:
      return Buffer.concat([head, dice.pick(MORSELS), input.subarray(to)]);
    case 2:
      return Buffer.concat([head, input.subarray(to)]);
    case 3:
      return Buffer.concat([input.subarray(0, to), tail]);
    case 4:
      return Buffer.concat([head, dice.pick(BAD_UTF8), tail]);
    default: {
      const flipped = Buffer.from(input);
      if (at < flipped.length) flipped[at] = dice.next();
      return flipped;
    }
  }
}

function nextInput(dice: Dice): Buffer {
  if (dice.below(10) === 0) return randomBytes(dice);
  let input: Buffer = Buffer.from(dice.pick(SEEDS));
  for (let left = dice.below(6); left > 0; left--) input = mutate(dice, input);
  return input;
}

/** The lines of an input that comes in pieces. */
function linesOf(dice: Dice, input: Buffer): Buffer[] {
  const framer = new LineFramer(MAX_LINE_BYTES);
  const stream = Buffer.concat([input, Buffer.from('\n')]);
  const lines: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + 1 + dice.below(stream.length);
    const { lines: some, tooLong } = framer.push(stream.subarray(at, end));
    lines.push(...some);
    if (tooLong) throw new RocksyError('line_too_long', 'too long');
    at = end;
  }
  const joined = lines.map((line) => line.toString('latin1')).join('\n');
  const plain = input.toString('latin1').replaceAll(/\r(?=\n|$)/g, '');
  if (joined !== plain) throw new Error('the lines are not what the stream held');
  return lines;
}

/** Takes an input as the daemon does. Returns whether all of it were requests. */
function take(dice: Dice, input: Buffer): boolean {
  let all = true;
  try {
    for (const line of linesOf(dice, input)) all = isRequest(line) && all;
    return all;
  } catch (error) {
    if (error instanceof RocksyError) return false;
    throw error;
  }
}

function isRequest(line: Buffer): boolean {
  try {
    const raw = parseLine(line);
    // What was understood can be written down, and means the same when it is read again.
    const again = parseLine(Buffer.from(`${raw.name} ${JSON.stringify(raw.fields)}`));
    if (JSON.stringify(again.fields) !== JSON.stringify(raw.fields)) throw new Error('it changed on its way');
    parseRequest(raw);
    return true;
  } catch (error) {
    if (error instanceof RocksyError) return false;
    throw error;
  }
}

function main(): void {
  const [inputs = 1_000_000, seed = Date.now() % 2 ** 32] = process.argv.slice(2).map(Number);
  const dice = new Dice(seed);
  const startedMs = performance.now();
  let requests = 0;
  let slowestMs = 0;
  for (let n = 0; n < inputs; n++) {
    const input = nextInput(dice);
    const beganMs = performance.now();
    try {
      if (take(dice, input)) requests++;
    } catch (error) {
      console.error(`input ${n} of seed ${seed}: ${JSON.stringify(input.toString('latin1'))}`);
      console.error(error);
      process.exitCode = 1;
      return;
    }
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
  }
  const seconds = (performance.now() - startedMs) / 1000;
  console.log(
    `${inputs} inputs in ${seconds.toFixed(1)} s: ${Math.round(inputs / seconds)} inputs/s, ` +
      `${requests} requests, ${inputs - requests} errors with a code, slowest ${slowestMs.toFixed(1)} ms (seed ${seed})`,
  );
}

main();
