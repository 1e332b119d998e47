import type { Thread } from '../../posix/index.ts';
import type { Finding } from '../contract.ts';
import type { RuntimeName } from '../launcher.ts';

/**
 * Threads that Node has besides its main thread, as they are called in Node 24 and 26 (PlatformWorkerThread in
 * src/node_platform.cc, uv_thread_setname in libuv's src/threadpool.c; at most 15 bytes). One that sleeps has nothing to do.
 */
const NODE_THREADS = ['V8Worker', 'node-V8Worker', 'DelayedTaskSche', 'libuv-worker'];

/** Whose a thread is that goes by such a name, and what is to be done about it. Names as the kernel cuts them. */
const KNOWN: readonly (readonly [name: RegExp, remedy: string])[] = [
  [
    /^(WorkerThread|pino\/file)$/,
    'worker_threads, or a library that has some (a pino transport, piscina): start it in run() or afterFork, or end it in beforeFork',
  ],
  [/^libuv-worker$/, 'the threadpool is still at work for the bootstrap: await what it began'],
  [/^libvips worker$/, 'sharp: load it in the bootstrap, use it in run()'],
  [/^InspectorIo$/, 'a debugger: no inspector.open() and no --inspect in a pool'],
  [
    /^(grpc_global_tim|default-executo|resolver-execut|event_engine|timer_manager)$/,
    'gRPC: import it in the bootstrap, make channels in run()',
  ],
  [/^rdk:/, 'librdkafka: make producers and consumers in run()'],
  [
    /^tokio-r(untime-w|t-worker)/,
    'a library in Rust, such as the engine of Prisma: connect in run(), or disconnect in beforeFork',
  ],
];

/** Is this thread the runtime's own, and harmless for a fork? */
export function ownThreads(runtime: RuntimeName): (thread: Thread, pid: number) => boolean {
  return ({ tid, name, state }, pid) =>
    tid === pid || (runtime === 'node' && state === 'S' && NODE_THREADS.includes(name));
}

/** A finding for threads that are not the runtime's own; null: there is none. */
export function strangeThreads(strange: readonly Thread[]): Finding | null {
  if (strange.length === 0) return null;
  const names = [...new Set(strange.map(({ name }) => name))];
  const remedies = new Set(
    KNOWN.filter(([known]) => names.some((name) => known.test(name))).map(([, remedy]) => remedy),
  );
  const count = strange.length === 1 ? '1 thread' : `${strange.length} threads`;
  const remedy = remedies.size === 0 ? 'start them in run()' : [...remedies].join('; ');
  return {
    name: 'threads',
    message: `the bootstrap left ${count} running (${names.join(', ')}); a fork takes none of them along: ${remedy}`,
  };
}
