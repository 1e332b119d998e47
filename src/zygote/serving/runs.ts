import type { ChildEnd } from '../../posix/index.ts';
import type { EndedEvent, RefusalCode } from '../contract.ts';
import type { Cancel } from './deadline.ts';
import { Leftovers } from './leftovers.ts';
import type { Report } from './reports.ts';
import type { RunStart } from './request.ts';
import { endedEvent, MAX_ATTEMPTS, mainPid, type Run, unclaimedMessage } from './run.ts';
import { killInTest } from './test-kill.ts';

const SIGKILL = 9;
const SIGTERM = 15;

/** The operating system as runs need it; tests put a small world in its place. */
export interface System<Start extends RunStart> {
  /** Has a child made, at once or soon. `born` is told its pid, before any of its reports is read, or why there is none. */
  spawn(start: Start, born: (child: number | Error) => void): void;
  /** `false`: not delivered. Only for children that were not reaped. */
  signal(pid: number, signal: number): boolean;
  /** Reaps a child that has ended, null when there is none. */
  reap(): ChildEnd | null;
  /** Pids of all children of this process. */
  children(): number[];
  /** Has every report that was written up to now go through `Runs.report`. */
  readReports(): void;
  /** A run has ended with this code, by itself: to be noted in its run file, where the child can't do so. */
  noteExit(file: string, code: number): void;
  nowMs(): number;
  after(ms: number, act: () => void): Cancel;
}

export interface RunsOptions {
  readonly claimTimeoutMs: number;
  readonly leaveChildren: boolean;
}

export interface Refusal {
  readonly code: RefusalCode;
  readonly message: string;
}

export interface RunsListener {
  /** A run has a new latest event. */
  changed(key: string): void;
  /** A run that has never had a child is not known any more. */
  refused(key: string, refusal: Refusal): void;
}

/** Every run that the zygote knows, and its children. What happens to a run happens here. */
export class Runs<Start extends RunStart> {
  readonly #system: System<Start>;
  readonly #options: RunsOptions;
  readonly #listener: RunsListener;
  readonly #byKey = new Map<string, Run<Start>>();
  /** Main processes that were not reaped, of probes too. */
  readonly #byPid = new Map<number, Run<Start>>();
  /** Processes that have forked a run's main process and are about to end. */
  readonly #leaving = new Set<number>();
  /** Reaped in this turn: reports of theirs may still come, signals must not go to them any more. */
  #gone: ReadonlySet<number> = new Set();
  readonly #leftovers = new Leftovers<Run<Start>>();
  readonly #probes = new Map<Run<Start>, (problem: string | null) => void>();
  #lookAgain: Cancel = () => {};
  #forks = 0;

  constructor(system: System<Start>, options: RunsOptions, listener: RunsListener) {
    this.#system = system;
    this.#options = options;
    this.#listener = listener;
  }

  get all(): IterableIterator<Run<Start>> {
    return this.#byKey.values();
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Run<Start> | undefined {
    return this.#byKey.get(key);
  }

  get counts(): { readonly running: number; readonly forks: number } {
    const running = [...this.all].filter((run) => run.state.at !== 'ended').length;
    return { running, forks: this.#forks };
  }

  /** The listener hears what becomes of it. */
  start(start: Start): void {
    if (this.#byKey.has(start.key)) {
      this.#listener.refused(start.key, { code: 'known', message: 'this zygote has that key already' });
      return;
    }
    const run = newRun(start);
    this.#byKey.set(start.key, run);
    this.#give(run, 1);
  }

  /** A run that nobody hears of; `done` is told why it has not succeeded. */
  probe(start: Start, done: (problem: string | null) => void): void {
    const run = newRun(start);
    this.#probes.set(run, done);
    this.#give(run, 1);
  }

  /** The outcome is safe elsewhere. A run that has not ended is not forgotten. */
  acknowledge(key: string): void {
    if (this.#byKey.get(key)?.state.at === 'ended') this.#byKey.delete(key);
  }

  signal(key: string, signal: number): boolean {
    const before = this.#pidOf(key);
    const sent = before !== null && this.#system.signal(before, signal);
    // What got it may have forked the main process and left a moment ago.
    const pid = this.#pidOf(key);
    return pid === before || pid === null ? sent : this.#system.signal(pid, signal);
  }

  cancel(key: string, killAfterMs: number, reason: string): boolean {
    const run = this.#byKey.get(key);
    return run !== undefined && this.#terminate(run, killAfterMs, reason);
  }

  report({ spawned, pid, step, problem }: Report): void {
    this.#becomes(spawned, pid);
    const run = this.#byPid.get(pid);
    if (run?.state.at !== 'forked' || step === 'child' || step === 'loaded') return;
    if (step === 'unclaimed') {
      run.message = problem;
      return;
    }
    if (run.state.late)
      run.message = `killed, because it had not claimed the key within ${this.#options.claimTimeoutMs} ms`;
    run.alarm();
    run.start = null;
    run.state = { at: 'claimed', pid };
    if (run.timeoutMs !== null) {
      run.alarm = this.#system.after(run.timeoutMs, () => this.#terminate(run, run.killAfterMs, 'timeout'));
    }
    this.#tell(run);
  }

  /** What we started has forked the run's main process, and leaves. What it was sent meanwhile is the other's too. */
  #becomes(spawned: number, pid: number): void {
    const run = this.#byPid.get(spawned);
    if (run?.state.at !== 'forked' || spawned === pid) return;
    this.#byPid.delete(spawned);
    this.#leaving.add(spawned);
    this.#byPid.set(pid, run);
    run.state = { ...run.state, pid };
    if (this.#gone.has(pid)) return;
    if (run.state.late) this.#system.signal(pid, SIGKILL);
    else if (run.reason !== null) this.#system.signal(pid, SIGTERM);
  }

  /** Some children have ended (SIGCHLD): any number of them, or none. */
  reap(): void {
    const ends: ChildEnd[] = [];
    for (let end = this.#system.reap(); end !== null; end = this.#system.reap()) ends.push(end);
    // A child reports before it ends. Nothing has been forked since, so each pid is still the one that reported.
    this.#gone = new Set(ends.map(({ pid }) => pid));
    this.#system.readReports();
    this.#gone = new Set();
    for (const end of ends) this.#reaped(end);
    this.#killLeftovers();
  }

  /** By the latest reports. */
  #pidOf(key: string): number | null {
    this.#system.readReports();
    const run = this.#byKey.get(key);
    return run === undefined ? null : mainPid(run);
  }

  #give(run: Run<Start>, attempt: number): void {
    if (run.start === null) return;
    run.state = { at: 'waiting', attempt };
    this.#system.spawn(run.start, (child) => {
      if (typeof child === 'number') this.#given(run, child, attempt);
      else this.#notGiven(run, child);
    });
  }

  #given(run: Run<Start>, pid: number, attempt: number): void {
    this.#forks++;
    this.#byPid.set(pid, run);
    run.state = { at: 'forked', pid, attempt, late: false };
    run.alarm = this.#system.after(this.#options.claimTimeoutMs, () => this.#claimTimeout(run));
    if (run.reason !== null) this.#system.signal(pid, SIGTERM);
    if (this.#probes.has(run)) return;
    this.#tell(run);
    killInTest('zygote:forked');
  }

  /** There can be no child. One that has failed before is what `ended` tells of. */
  #notGiven(run: Run<Start>, error: Error): void {
    if (run.lastEnd !== null) {
      run.message = `the child did not claim the key, and another one could not be started: ${error.message}`;
      this.#ending(run, false, run.lastEnd);
      this.#killLeftovers();
      return;
    }
    const probe = this.#probes.get(run);
    this.#probes.delete(run);
    run.killing?.cancel();
    if (probe !== undefined) {
      probe(error.message);
      return;
    }
    this.#byKey.delete(run.key);
    this.#listener.refused(run.key, { code: 'fork_failed', message: error.message });
  }

  #claimTimeout(run: Run<Start>): void {
    this.#system.readReports();
    if (run.state.at !== 'forked') return;
    run.state = { ...run.state, late: true };
    // What it was is known when it has been reaped: it may still claim before the signal arrives.
    this.#system.signal(run.state.pid, SIGKILL);
  }

  /** SIGTERM now, SIGKILL later. Another one can only bring the SIGKILL forward. */
  #terminate(run: Run<Start>, killAfterMs: number, reason: string): boolean {
    const pid = mainPid(run);
    if (pid === null && run.state.at !== 'waiting') return false;
    run.reason ??= reason;
    const atMs = this.#system.nowMs() + killAfterMs;
    if (run.killing === null || atMs < run.killing.atMs) {
      run.killing?.cancel();
      run.killing = {
        atMs,
        cancel: this.#system.after(killAfterMs, () => {
          const main = mainPid(run);
          if (main !== null) this.#system.signal(main, SIGKILL);
        }),
      };
    }
    // A child that is still to come gets it with its birth.
    return pid === null || this.#system.signal(pid, SIGTERM);
  }

  #reaped(end: ChildEnd): void {
    if (this.#leaving.delete(end.pid)) return;
    const run = this.#byPid.get(end.pid);
    if (run === undefined) this.#leftovers.reaped(end.pid);
    else this.#mainReaped(run, end);
  }

  #mainReaped(run: Run<Start>, end: ChildEnd): void {
    this.#byPid.delete(end.pid);
    run.alarm();
    const { state } = run;
    if (state.at === 'forked' && state.late && run.message === null && run.reason === null) {
      if (state.attempt < MAX_ATTEMPTS) {
        run.lastEnd = end;
        this.#give(run, state.attempt + 1);
        return;
      }
      run.message = `${state.attempt} children, one after the other, did not claim the key within ${this.#options.claimTimeoutMs} ms`;
    }
    this.#ending(run, state.at === 'claimed', end);
  }

  /** Nothing more will be done for it, but what it left behind is in the way of its end. */
  #ending(run: Run<Start>, claimed: boolean, end: ChildEnd): void {
    run.killing?.cancel();
    if (!claimed) run.message = unclaimedMessage(run, end);
    run.start = null;
    run.state = { at: 'ending', claimed, end };
    if (this.#options.leaveChildren) this.#end(run);
    else this.#leftovers.await(run, this.#system.nowMs());
  }

  /** Their children become ours when they die, which another SIGCHLD tells. */
  #killLeftovers(): void {
    if (this.#options.leaveChildren) return;
    this.#lookAgain();
    const children = this.#system.children();
    // Who is among them has been reported: what forked it reports before it leaves it to us.
    this.#system.readReports();
    const strangers = children.filter((pid) => !this.#byPid.has(pid) && !this.#leaving.has(pid));
    const { kill, over, againInMs } = this.#leftovers.look(strangers, this.#system.nowMs());
    for (const pid of kill) this.#system.signal(pid, SIGKILL);
    for (const run of over) this.#end(run);
    if (againInMs !== null) this.#lookAgain = this.#system.after(againInMs, () => this.#killLeftovers());
  }

  #end(run: Run<Start>): void {
    if (run.state.at !== 'ending') return;
    const { claimed, end } = run.state;
    // Ended by us, its code says little.
    if (claimed && end.code !== null && run.reason === null) this.#system.noteExit(run.file, end.code);
    run.state = { at: 'ended', event: endedEvent(run, claimed, end) };
    killInTest('zygote:ended-before-tell');
    this.#tell(run);
  }

  #tell(run: Run<Start>): void {
    const probe = this.#probes.get(run);
    if (probe === undefined) {
      this.#listener.changed(run.key);
    } else if (run.state.at === 'ended') {
      this.#probes.delete(run);
      probe(problemOf(run.state.event));
    }
  }
}

function newRun<Start extends RunStart>(start: Start): Run<Start> {
  return {
    key: start.key,
    file: start.file,
    timeoutMs: start.timeoutMs,
    killAfterMs: start.killAfterMs,
    start,
    state: { at: 'waiting', attempt: 1 },
    lastEnd: null,
    reason: null,
    message: null,
    alarm: () => {},
    killing: null,
  };
}

function problemOf({ claimed, code, signal, reason, message }: EndedEvent): string | null {
  if (claimed && code === 0) return null;
  if (reason === 'timeout') return 'the probe has not ended in time';
  return message ?? `the probe ended with ${signal === null ? `code ${code}` : `signal ${signal}`}`;
}
