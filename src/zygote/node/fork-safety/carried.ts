// Made in the zygote, so for bootstraps alone: what is under way or ready at the fork, and goes on in each child.
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createPrivateKey, createPublicKey, sign, verify } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import vm from 'node:vm';
import { MessageChannel } from 'node:worker_threads';
import { cert, key } from './certificate.ts';
import { primesBelow } from './computing.ts';
import { FACTORIAL, WebAssembly } from './wasm.ts';
import { type Workload, workload } from './workload.ts';

const pending = Promise.withResolvers<number>();
const continued = pending.promise.then((value) => value + 1);
const waiting = (async () => (await continued) * 2)();
const timer = delay(50, 'the timer went on');
const storage = new AsyncLocalStorage<string>();
const inContext = storage.run('the context of the bootstrap', () => AsyncLocalStorage.snapshot());
const controller = new AbortController();
const cancelled = delay(2 ** 30, undefined, { signal: controller.signal, ref: false }).catch(
  (error: Error) => error.name,
);
const privateKey = createPrivateKey(key);
const publicKey = createPublicKey(cert);
const compiled = new WebAssembly.Module(FACTORIAL);
const { factorial } = new WebAssembly.Instance(compiled).exports;
const context = vm.createContext({ count: 1 });
const script = new vm.Script('++count');
const agent = new http.Agent({ keepAlive: true });
const primes = primesBelow(2_000_000); // V8 has optimised it by now
const buffers = Array.from({ length: 200 }, (_, index) => new Uint8Array(10_000).fill(index));
const weak = new WeakRef(buffers);
const { port1, port2 } = new MessageChannel();
port1.unref();
port2.unref();
const file = openSync('/proc/self/exe', 'r');

export const carried: readonly Workload[] = [
  workload('at the fork: promises, with those who wait for them', async () => {
    pending.resolve(20);
    assert.equal(await waiting, 42);
  }),
  workload('at the fork: a timer', async () => {
    assert.equal(await timer, 'the timer went on');
  }),
  workload('at the fork: a signal for an abort', async () => {
    controller.abort();
    assert.equal(await cancelled, 'AbortError');
  }),
  workload('at the fork: the context of AsyncLocalStorage', async () => {
    assert.equal(
      inContext(() => storage.getStore()),
      'the context of the bootstrap',
    );
  }),
  workload('at the fork: keys', () => {
    const data = Buffer.from('what is signed');
    assert.equal(verify('sha256', data, publicKey, sign('sha256', data, privateKey)), true);
  }),
  workload('at the fork: WebAssembly that has run', () => {
    assert.equal(factorial(20n), 2_432_902_008_176_640_000n);
    assert.equal(new WebAssembly.Instance(compiled).exports.factorial(10n), 3_628_800n);
  }),
  workload('at the fork: a context of vm', () => {
    assert.equal(script.runInContext(context), 2);
  }),
  workload('at the fork: code that V8 has optimised', () => {
    assert.equal(primes, 148_933);
    for (let round = 0; round < 3; round++) assert.equal(primesBelow(2_000_000), primes);
  }),
  workload('at the fork: buffers, which stay as they are through garbage', () => {
    for (let round = 0; round < 50; round++) Array.from({ length: 10_000 }, (_, index) => ({ index }));
    assert.equal(weak.deref(), buffers);
    assert.ok(buffers.every((bytes, index) => bytes[0] === index % 256 && bytes.at(-1) === index % 256));
    buffers[0]?.fill(7);
    assert.equal(buffers[0]?.[0], 7);
  }),
  workload('at the fork: an agent for HTTP', async () => {
    const server = http.createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const status = await new Promise((resolve) =>
      http.get({ port, host: '127.0.0.1', agent }, (response) => resolve(response.resume().statusCode)),
    );
    assert.equal(status, 200);
    server.close().closeAllConnections();
  }),
  workload('at the fork: a channel for messages', async () => {
    const told = new Promise((resolve) => port2.once('message', resolve));
    port2.ref();
    port1.postMessage('through the channel');
    assert.equal(await told, 'through the channel');
  }),
  workload('at the fork: a file that is open for reading', () => {
    const bytes = Buffer.alloc(4);
    readSync(file, bytes, 0, 4, 0);
    assert.equal(bytes.toString('latin1'), '\x7fELF');
    closeSync(file);
  }),
];
