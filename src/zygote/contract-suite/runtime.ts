import type { StartSpec, ZygoteConfig } from '../contract.ts';

/** A started zygote. `await using`: at the end it is killed with all of its runs, and its folder goes. */
export interface TestedZygote extends AsyncDisposable {
  readonly pid: number;
  /** A folder of its own. */
  readonly folder: string;
  readonly runs: string;
  /** Path of the socket that it listens on. */
  readonly socket: string;
  /** Path of the file that is its descriptors 1 and 2. */
  readonly bootLog: string;
  readonly exit: Promise<{ code: number | null; signal: string | null }>;
}

export interface StartOptions {
  readonly config?: Partial<ZygoteConfig>;
  readonly env?: { readonly [name: string]: string };
}

/** Programs of a runtime, as the fields of `start` that run them. */
export interface Programs {
  /** Prints "hello" and a line break. */
  readonly hello: StartSpec;
  /** Prints its standard input. */
  readonly input: StartSpec;
  /** Prints its folder. */
  readonly folder: StartSpec;
  /** Prints where each of its descriptors leads, one a line. */
  readonly descriptors: StartSpec;
  /** Prints "ready" and a line break, then waits for ever. SIGTERM ends it. */
  readonly wait: StartSpec;
  /** As `wait`, but SIGTERM is ignored. */
  readonly stubborn: StartSpec;
  /** Writes `progress 40 half way` and `result {"n":1}` into its run file. */
  readonly tell: StartSpec;
  /**
   * Leaves two processes behind that ignore SIGTERM: a child, and a grandchild with a session of its own whose parent
   * has gone (double fork and setsid). They wait for ever; the program prints their pids, one a line, and ends.
   */
  readonly leave: StartSpec;
  exit(code: number): StartSpec;
  /** Prints the value of an environment variable, or nothing. */
  variable(name: string): StartSpec;
  /** Prints "ready" and a line break, waits until there is a file of this name, prints "done". */
  gate(path: string): StartSpec;
}

export interface Features {
  /** Whether the runtime parks children ahead of their runs. */
  readonly parks: boolean;
  /** Whether a run writes its exit code into its run file itself. */
  readonly tellsItsEnd: boolean;
}

/** A runtime, as the suite sees it. */
export interface Runtime {
  readonly name: string;
  /** Makes a new zygote; it need not wait until the bootstrap is loaded. */
  readonly start: (options?: StartOptions) => TestedZygote;
  readonly programs: Programs;
  readonly features: Features;
}
