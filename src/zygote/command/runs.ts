import type { ChildEnd } from '../../posix/index.ts';
import type { RefusalCode } from '../contract.ts';
import type { Cancel } from './deadline.ts';
import { Leftovers } from './leftovers.ts';
import type { Report } from './reports.ts';
import type { CommandStart } from './request.ts';
import { endedEvent, MAX_ATTEMPTS, mainPid, type Run, unclaimedMessage } from './run.ts';
import { killInTest } from './test-kill.ts';

const SIGKILL = 9;
const SIGTERM = 15;

/** The operating system as runs need it; tests put a small world in its place. */
export interface System {
  /** The pid of a new child. Throws when there can be none. */
  spawn(start: CommandStart): number;
  /** `false`: not delivered. Only for children that were not reaped. */
  signal(pid: number, signal: number): boolean;
  /** Reaps a child that has ended, null when there is none. */
  reap(): ChildEnd | null;
  /** Pids of all children of this process. */
  children(): number[];
  /** Has every report that was written up to now go through `Runs.report`. */
  readReports(): void;
  /** Appends a line to a run file. It may fail: what stands there is a help, not the truth. */
  appendToRunFile(file: string, line: string): void;
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

/** Every run that the zygote knows, and its children. What happens to a run happens here. */
export class Runs {
  readonly #system: System;
  readonly #options: RunsOptions;
  /** A run has a new latest event. */
  readonly #changed: (run: Run) => void;
  readonly #byKey = new Map<string, Run>();
  /** Main processes that were not reaped, of probes too. */
  readonly #byPid = new Map<number, Run>();
  /** Processes that have forked a run's main process and are about to end. */
  readonly #leaving = new Set<number>();
  /** Reaped in this turn: reports of theirs may still come, signals must not go to them any more. */
  #gone: ReadonlySet<number> = new Set();
  readonly #leftovers = new Leftovers<Run>();
  readonly #probes = new Map<Run, (run: Run) => void>();
  #lookAgain: Cancel = () => {};
  #forks = 0;

  constructor(system: System, options: RunsOptions, changed: (run: Run) => void) {
    this.#system = system;
    this.#options = options;
    this.#changed = changed;
  }

  get all(): IterableIterator<Run> {
    return this.#byKey.values();
  }

  get size(): number {
    return this.#byKey.size;
  }

  get(key: string): Run | undefined {
    return this.#byKey.get(key);
  }

  get counts(): { readonly running: number; readonly forks: number } {
    const running = [...this.all].filter((run) => run.state.at !== 'ended').length;
    return { running, forks: this.#forks };
  }

  /** Null: the run has been given to a child. */
  start(start: CommandStart): Refusal | null {
    if (this.#byKey.has(start.key)) return { code: 'known', message: 'this zygote has that key already' };
    const run = this.#fork(start);
    if ('code' in run) return run;
    this.#byKey.set(start.key, run);
    this.#changed(run);
    killInTest('zygote:forked');
    return null;
  }

  /** A run that nobody hears of; `ended` gets it when it is over. */
  probe(start: CommandStart, ended: (run: Run) => void): Refusal | null {
    const run = this.#fork(start);
    if ('code' in run) return run;
    this.#probes.set(run, ended);
    return null;
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
    if (run?.state.at !== 'forked' || step === 'child') return;
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

  #fork(start: CommandStart): Run | Refusal {
    let pid: number;
    try {
      pid = this.#spawn(start);
    } catch (error) {
      return { code: 'fork_failed', message: (error as Error).message };
    }
    const run: Run = {
      key: start.key,
      file: start.file,
      timeoutMs: start.timeoutMs,
      killAfterMs: start.killAfterMs,
      start,
      state: { at: 'forked', pid, attempt: 1, late: false },
      reason: null,
      message: null,
      alarm: () => {},
      killing: null,
    };
    this.#given(run, pid, 1);
    return run;
  }

  #spawn(start: CommandStart): number {
    const pid = this.#system.spawn(start);
    this.#forks++;
    return pid;
  }

  #given(run: Run, pid: number, attempt: number): void {
    this.#byPid.set(pid, run);
    run.state = { at: 'forked', pid, attempt, late: false };
    run.alarm = this.#system.after(this.#options.claimTimeoutMs, () => this.#claimTimeout(run));
  }

  #claimTimeout(run: Run): void {
    this.#system.readReports();
    if (run.state.at !== 'forked') return;
    run.state = { ...run.state, late: true };
    // What it was is known when it has been reaped: it may still claim before the signal arrives.
    this.#system.signal(run.state.pid, SIGKILL);
  }

  /** SIGTERM now, SIGKILL later. Another one can only bring the SIGKILL forward. */
  #terminate(run: Run, killAfterMs: number, reason: string): boolean {
    const pid = mainPid(run);
    if (pid === null) return false;
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
    return this.#system.signal(pid, SIGTERM);
  }

  #reaped(end: ChildEnd): void {
    if (this.#leaving.delete(end.pid)) return;
    const run = this.#byPid.get(end.pid);
    if (run === undefined) this.#leftovers.reaped(end.pid);
    else this.#mainReaped(run, end);
  }

  #mainReaped(run: Run, end: ChildEnd): void {
    this.#byPid.delete(end.pid);
    run.alarm();
    run.killing?.cancel();
    const { state } = run;
    if (state.at === 'forked' && state.late && run.message === null && run.reason === null) {
      if (state.attempt < MAX_ATTEMPTS && this.#replace(run, state.attempt + 1)) return;
      run.message ??= `${state.attempt} children, one after the other, did not claim the key within ${this.#options.claimTimeoutMs} ms`;
    }
    const claimed = state.at === 'claimed';
    if (!claimed) run.message = unclaimedMessage(run, end);
    run.start = null;
    run.state = { at: 'ending', claimed, end };
    if (this.#options.leaveChildren) this.#end(run);
    else this.#leftovers.await(run, this.#system.nowMs());
  }

  /** Gives the run to another child. `false`: there can be none, and `message` says why. */
  #replace(run: Run, attempt: number): boolean {
    if (run.start === null) return false;
    try {
      this.#given(run, this.#spawn(run.start), attempt);
    } catch (error) {
      run.message = `the child did not claim the key, and another one could not be started: ${(error as Error).message}`;
      return false;
    }
    this.#tell(run);
    return true;
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

  #end(run: Run): void {
    if (run.state.at !== 'ending') return;
    const { claimed, end } = run.state;
    // The command took the place of whatever could have written this itself. Ended by us, its code says little.
    if (claimed && end.code !== null && run.reason === null) {
      this.#system.appendToRunFile(run.file, `exit ${end.code}`);
    }
    run.state = { at: 'ended', event: endedEvent(run, claimed, end) };
    killInTest('zygote:ended-before-tell');
    this.#tell(run);
  }

  #tell(run: Run): void {
    const probe = this.#probes.get(run);
    if (probe === undefined) {
      this.#changed(run);
    } else if (run.state.at === 'ended') {
      this.#probes.delete(run);
      probe(run);
    }
  }
}
