import { createHook } from 'node:async_hooks';
import inspector from 'node:inspector';
import type { Finding, HelloEvent } from '../contract.ts';
import { requests } from './quiesce.ts';

/** A Timeout, or the handle of a socket: what init() of async_hooks is given. */
interface Resource {
  hasRef?(): boolean;
  /** Milliseconds of a timer. */
  readonly _idleTimeout?: number;
  /** Those of an interval; null for a timeout. */
  readonly _repeat?: number | null;
  readonly _destroyed?: boolean;
  /** -1: closed. */
  readonly fd?: number;
}

interface Made {
  readonly type: string;
  readonly resource: Resource;
  readonly stack: { readonly stack?: string };
}

const TIMER = 'Timeout';
const HANDLES = /^(TCP|TCPSERVER|PIPE|PIPESERVER|UDP|TTY)WRAP$/;
/** The bootstrap's own frame may stand behind many of its libraries'. */
const FRAMES = 40;

const CANCEL =
  'clear it or unref() it at the end of the bootstrap or in beforeFork, start it in run() or afterFork';

/**
 * Notes what the bootstrap makes that a fork would double, and where: what the daemon can't see from outside. Only while
 * it is loaded, and not of promises, so nothing of this is left in the children.
 */
export class LeftBehind {
  readonly #made: Made[] = [];
  readonly #hook = createHook({
    // Not known to @types/node yet: without it every promise would be noted as well.
    ...{ trackPromises: false },
    init: (_id, type, _trigger, resource) => {
      if (type !== TIMER && !HANDLES.test(type)) return;
      const { stackTraceLimit } = Error;
      Error.stackTraceLimit = FRAMES;
      const stack: { stack?: string } = {};
      Error.captureStackTrace(stack);
      Error.stackTraceLimit = stackTraceLimit;
      this.#made.push({ type, resource, stack });
    },
  }).enable();

  /** The bootstrap has been loaded. */
  end(): Pick<HelloEvent, 'findings' | 'made_at'> {
    this.#hook.disable();
    const findings = [...this.#timers(), ...watchedFiles(), ...debuggers(), ...begun()];
    const places = this.#made.flatMap(({ type, resource: { fd = -1 }, stack }) => {
      const at = type === TIMER || fd < 0 ? null : place(stack);
      return at === null ? [] : [[fd, at] as const];
    });
    return {
      ...(findings.length === 0 ? {} : { findings }),
      ...(places.length === 0 ? {} : { made_at: Object.fromEntries(places) }),
    };
  }

  /** Those that would keep a started process alive. Libraries unref() what only cleans up behind them: that may tick. */
  #timers(): Finding[] {
    return this.#made.flatMap(({ type, resource, stack }) => {
      if (type !== TIMER || resource._destroyed !== false || resource.hasRef?.() !== true) return [];
      const kind = typeof resource._repeat === 'number' ? 'an interval' : 'a timeout';
      const at = place(stack);
      const where = at === null ? '' : ` (made at ${at})`;
      const message = `the bootstrap left ${kind} of ${resource._idleTimeout} ms active${where}: it would go off in every run; ${CANCEL}`;
      return [{ name: 'timer', message }];
    });
  }
}

/** fs.watchFile() looks by the threadpool, again and again; fs.watch() has a descriptor. */
function watchedFiles(): Finding[] {
  if (!process.getActiveResourcesInfo().includes('StatWatcher')) return [];
  const message =
    'the bootstrap left fs.watchFile() watching: it would look and call back in every run; fs.unwatchFile() at the end of the bootstrap or in beforeFork';
  return [{ name: 'watch', message }];
}

function debuggers(): Finding[] {
  const url = inspector.url();
  if (url === undefined) return [];
  const message = `the bootstrap left a debugger open (${url}), whose thread a fork does not take along; no inspector.open() and no --inspect in a pool`;
  return [{ name: 'inspector', message }];
}

function begun(): Finding[] {
  const names = [...new Set(requests())];
  if (names.length === 0) return [];
  const message = `the bootstrap left requests under way (${names.join(', ')}): a DNS lookup, a file, a connection; await what it begins`;
  return [{ name: 'requests', message }];
}

/**
 * Where the application has made it, and in which package if it was not the application itself. Null: Node has, in a
 * turn of the loop after it was asked to.
 */
function place({ stack = '' }: Made['stack']): string | null {
  const frames = [...stack.matchAll(/(?:at |async |\()(?:file:\/\/)?(\/[^()\n]+:\d+):\d+\)?$/gm)]
    .map(([, at = '']) => at)
    .filter((at) => !OURS.test(at));
  const [maker] = frames;
  if (maker === undefined) return null;
  const application = frames.find((at) => !at.includes('/node_modules/'));
  return application === undefined || application === maker ? maker : `${maker}, from ${application}`;
}

const OURS = new RegExp(`^${RegExp.escape(import.meta.dirname)}/(left-behind|zygote|user-code)\\.[jt]s:`);
