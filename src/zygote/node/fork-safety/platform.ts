import assert from 'node:assert/strict';
import { channel, tracingChannel } from 'node:diagnostics_channel';
import { EventEmitter, once } from 'node:events';
import inspector from 'node:inspector';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import { Readable, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { short, type Workload, workload } from './workload.ts';

/** Streams, events, and what watches the process. */
export const platform: readonly Workload[] = [
  short('streams', async () => {
    const doubled = new Transform({
      objectMode: true,
      transform: (chunk: number, _encoding, done) => done(null, chunk * 2),
    });
    let sum = 0;
    await pipeline(Readable.from([1, 2, 3]), doubled, async (numbers: AsyncIterable<number>) => {
      for await (const number of numbers) sum += number;
    });
    assert.equal(sum, 12);
  }),
  workload('web streams', async () => {
    const source = new ReadableStream<string>({
      start: (controller) => {
        for (let line = 0; line < 2_000; line++) controller.enqueue(`line ${line}\n`);
        controller.close();
      },
    });
    const packed = source.pipeThrough(new TextEncoderStream()).pipeThrough(new CompressionStream('gzip'));
    const lines = await text(packed.pipeThrough(new DecompressionStream('gzip')));
    assert.equal(lines.split('\n').at(-2), 'line 1999');
  }),
  short('EventTarget and EventEmitter', async () => {
    const target = new EventTarget();
    const seen: string[] = [];
    target.addEventListener('told', (event) => seen.push((event as CustomEvent).detail), { once: true });
    for (const detail of ['first', 'second']) target.dispatchEvent(new CustomEvent('told', { detail }));
    assert.deepEqual(seen, ['first']);
    const emitter = new EventEmitter({ captureRejections: true });
    emitter.on('work', async () => {
      throw new Error('rejected');
    });
    setImmediate(() => emitter.emit('work'));
    assert.equal((await once(emitter, 'error'))[0].message, 'rejected');
  }),
  short('diagnostics_channel', async () => {
    const heard: unknown[] = [];
    channel('fork-safety').subscribe((message) => heard.push(message));
    channel('fork-safety').publish('told');
    const tracing = tracingChannel<unknown, object>('fork-safety');
    tracing.subscribe({
      start: () => heard.push('start'),
      asyncEnd: () => heard.push('asyncEnd'),
      end: () => {},
      asyncStart: () => {},
      error: () => {},
    });
    await tracing.tracePromise(async () => delay(1), {});
    assert.deepEqual(heard, ['told', 'start', 'asyncEnd']);
  }),
  short('performance and its observers', async () => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const observer = new PerformanceObserver((list) => resolve(list.getEntries()[0]?.name ?? ''));
    observer.observe({ entryTypes: ['measure'] });
    performance.mark('begin');
    performance.measure('measured', 'begin');
    assert.equal(await promise, 'measured');
    observer.disconnect();
  }),
  workload('the delay of the event loop', async () => {
    const histogram = monitorEventLoopDelay({ resolution: 1 });
    histogram.enable();
    await delay(50);
    histogram.disable();
    assert.ok(histogram.count > 0 && histogram.max > 0);
  }),
  short('text in other encodings', () => {
    assert.equal(new TextDecoder('shift_jis').decode(new Uint8Array([0x83, 0x65])), 'テ');
    assert.throws(() => new TextDecoder('utf-8', { fatal: true }).decode(new Uint8Array([0xff])), {
      code: 'ERR_ENCODING_INVALID_ENCODED_DATA',
    });
    assert.equal(
      new URL('https://bücher.example/ü?a=b c').href,
      'https://xn--bcher-kva.example/%C3%BC?a=b%20c',
    );
    assert.equal(Buffer.from('4pyT', 'base64').toString(), '✓');
  }),
  workload('a session of the inspector', async () => {
    const session = new inspector.Session();
    session.connect();
    const post = promisify<string, object, unknown>(session.post).bind(session);
    const answer = await post('Runtime.evaluate', { expression: '6 * 7' });
    assert.partialDeepStrictEqual(answer, { result: { value: 42 } });
    await post('Profiler.enable', {});
    await post('Profiler.start', {});
    for (let round = 0; round < 100; round++) JSON.parse(JSON.stringify({ round }));
    assert.partialDeepStrictEqual(await post('Profiler.stop', {}), { profile: {} });
    session.disconnect();
  }),
  workload('an inspector that is opened', async () => {
    using _inspector = inspector.open(0, '127.0.0.1');
    const { host } = new URL(inspector.url() ?? '');
    const targets = (await (await fetch(`http://${host}/json/list`)).json()) as object[];
    assert.equal(targets.length, 1);
  }),
];
