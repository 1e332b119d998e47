import { exitNow } from '../../../posix/index.ts';

export interface Ending {
  /** An exception, or the reason of a rejected promise, that nobody handles. The exit code. */
  uncaught(error: unknown): number;
  /** Nothing is left that could go on. The exit code, or null where the process is at its end. */
  stalled(): number | null;
  /** The last act. */
  last(code: number): void;
}

/** The parts of `process` that @types/node leaves out. */
interface Internals {
  reallyExit(code?: number): never;
  _fatalException(error: unknown, fromPromise: boolean): boolean;
}

/** Ends the process: after this no code of anybody's runs. */
export function leave(ending: Pick<Ending, 'last'>, code: number): never {
  ending.last(code & 255);
  return exitNow(code & 255);
}

/**
 * In a child: every way to an end is Node's up to the 'exit' event, and then _exit(2). Node's own way from there would join
 * the platform's threads, which a forked child does not have (DisposePlatform in src/node_v8_platform-inl.h,
 * WorkerThreadsTaskRunner::Shutdown in src/node_platform.cc), and takes longer than all the rest of a run.
 */
export function takeOverExits(ending: Ending): void {
  const node = process as unknown as Internals;
  // process.exit() ends here, after 'exit' (lib/internal/process/per_thread.js).
  node.reallyExit = (code = 0) => leave(ending, code);

  // Where the event loop is empty, C++ emits 'beforeExit', and 'exit' when nothing has come of it (SpinEventLoopInternal
  // in src/api/embed_helpers.cc). What runs in between shows that something has.
  let empty = false;
  const emit = process.emit;
  process.emit = function (this: NodeJS.Process, event: string | symbol, ...args: unknown[]): boolean {
    let told = args;
    if (event === 'exit' && empty && process.exitCode === undefined) {
      const code = ending.stalled();
      if (code !== null) {
        process.exitCode = code;
        told = [code];
      }
    }
    const heard: boolean = Reflect.apply(emit, this, [event, ...told]);
    if (event === 'exit') leave(ending, Number(process.exitCode ?? 0));
    if (event === 'beforeExit') {
      empty = true;
      setImmediate(() => {
        empty = false;
      }).unref();
    }
    return heard;
  } as typeof process.emit;

  const fatalException = node._fatalException;
  node._fatalException = (error, fromPromise) => {
    let uncaught = error;
    if (process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()) {
      try {
        return fatalException.call(process, error, fromPromise);
      } catch (another) {
        uncaught = another;
      }
    } else {
      tellMonitors(error, fromPromise ? 'unhandledRejection' : 'uncaughtException');
    }
    return process.exit(ending.uncaught(uncaught));
  };
}

/** Whoever watches uncaught exceptions without handling them, such as an error tracker. */
export function tellMonitors(error: unknown, origin: 'uncaughtException' | 'unhandledRejection'): void {
  (process as NodeJS.EventEmitter).emit('uncaughtExceptionMonitor', error, origin);
}
