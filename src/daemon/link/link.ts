import fs from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { RocksyError } from '../../wire/index.ts';
import type { Join, Limits } from '../config/index.ts';
import type { Answerer, Task } from '../connections/index.ts';
import { Backoff, type BackoffTiming } from './backoff.ts';
import { type Credential, CredentialFile } from './credential.ts';
import { dial, type OpenLink } from './dial.ts';
import { Refusal } from './refusal.ts';
import { joinRemedy, linkRemedy } from './remedy.ts';
import { Session, type SessionTiming } from './session.ts';
import { CLOSE } from './transport.ts';

export interface LinkTiming extends SessionTiming {
  /** Between attempts that somebody may have to do something about: a join, or a link that is refused. */
  readonly refused: BackoffTiming;
  /** Between attempts to open a link. */
  readonly lost: BackoffTiming;
  /** A link that lived for so long was a good one: the next attempt comes soon. */
  readonly steadyMs: number;
}

export interface HostLinkOptions {
  readonly join: Join;
  /** The state directory. */
  readonly state: string;
  readonly limits: Limits;
  readonly answer: Answerer;
  readonly log: Logger;
  /** For tests. */
  readonly timing?: Partial<LinkTiming>;
}

const TIMING: LinkTiming = {
  pingMs: 10_000,
  silenceMs: 30_000,
  lingerMs: 5_000,
  steadyMs: 10_000,
  refused: { firstMs: 1_000, maxMs: 60_000 },
  lost: { firstMs: 100, maxMs: 10_000 },
};

const SETTLE_LOOK_MS = 5;

/** Requests that write something down: no other process may take over while one of them has not. */
const WRITING: ReadonlySet<string> = new Set(['run', 'free', 'host']);

/** Where an attempt failed, and so what may be done about it. */
type Step = 'join' | 'link';

/**
 * This host's link to the cloud. It is dialled for as long as the daemon serves, and is nobody's but this process's: a
 * successor dials its own, and this one ends with us.
 */
export class HostLink {
  readonly #options: HostLinkOptions;
  readonly #timing: LinkTiming;
  readonly #file: CredentialFile;
  readonly #closing = new AbortController();
  readonly #refused: Backoff;
  readonly #lost: Backoff;
  readonly #writing = new Set<Task>();
  #credential: Credential | null = null;
  #session: Session | null = null;
  #suspended = false;
  #attempts = 0;
  #running: Promise<void> = Promise.resolve();
  /** The problem that was told last: it is told once, however often it comes. */
  #told: string | null = null;

  constructor(options: HostLinkOptions) {
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
    this.#file = new CredentialFile(options.state);
    this.#refused = new Backoff(this.#timing.refused);
    this.#lost = new Backoff(this.#timing.lost);
  }

  /** Loads what a link needs, before others wait for this process. */
  async prepare(): Promise<void> {
    await import('ws');
  }

  /** Begins to dial, as the one process that serves. */
  start(): void {
    this.#running = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await this.#pause(await this.#attempt());
    }
  }

  /** Joins if that is to be done, opens a link and serves it to its end. Returns for how long to pause then. */
  async #attempt(): Promise<number> {
    const { urls } = this.#options.join;
    const url = urls[this.#attempts++ % urls.length] ?? '';
    let step: Step = 'join';
    try {
      const hostId = await this.#joined(url);
      step = 'link';
      await this.#settled();
      await this.#serve(await this.#dial(url, hostId), url);
      return this.#lost.next();
    } catch (error) {
      if (this.#closing.signal.aborted) return 0;
      this.#tell(step, url, error);
      const wantsHelp = step === 'join' || (error instanceof Refusal && error.wantsHelp);
      return wantsHelp ? this.#refused.next() : this.#lost.next();
    }
  }

  /**
   * What a former link was asked is on the disk or refused: the cloud takes a run that a new link does not tell of for
   * one that never began.
   */
  async #settled(): Promise<void> {
    while (!this.isQuiet) await wait(SETTLE_LOOK_MS, undefined, { signal: this.#closing.signal });
  }

  async #pause(ms: number): Promise<void> {
    // Rejects only when the link is closed.
    await wait(ms, undefined, { signal: this.#closing.signal, ref: false }).catch(() => undefined);
  }

  /** The id by which the cloud knows this host. */
  async #joined(url: string): Promise<string> {
    const { join, log } = this.#options;
    this.#credential ??= await this.#file.obtain();
    const { secret, hostId: known } = this.#credential;
    if (known !== null) return known;
    // Here, as hosts that have joined need none of it.
    const { enrol } = await import('./enrolment.ts');
    const { name, tokenFile } = join;
    const { signal } = this.#closing;
    const hostId = await enrol({ url, name, tokenFile, secret, ca: await this.#ca(), signal });
    await this.#keep({ hostId });
    log.info({ url, name, host_id: hostId }, 'joined the cloud');
    this.#told = null;
    this.#refused.reset();
    return hostId;
  }

  async #dial(url: string, hostId: string): Promise<OpenLink> {
    const { secret, incarnation } = await this.#known();
    const ca = await this.#ca();
    const { limits } = this.#options;
    const { signal } = this.#closing;
    return await dial({ url, hostId, secret, incarnation, ca, signal, maxMessageBytes: limits.lineBytes });
  }

  async #serve(open: OpenLink, url: string): Promise<void> {
    const { limits, log } = this.#options;
    const begunMs = performance.now();
    const name = `link#${this.#attempts}`;
    const session = new Session(open, { name, limits, answer: this.#answer, timing: this.#timing });
    this.#session = session;
    if (this.#suspended) session.connection.suspend();
    // It was closed while the link opened.
    if (this.#closing.signal.aborted) session.end(CLOSE.goingAway);
    log.info({ url }, 'linked to the cloud');
    this.#told = null;
    const { code, reason } = await session.closed;
    this.#session = null;
    if (performance.now() - begunMs >= this.#timing.steadyMs) this.#lost.reset();
    this.#refused.reset();
    log.info({ url, code, reason }, 'the link to the cloud has ended');
  }

  readonly #answer: Answerer = async (request, connection, task) => {
    if (WRITING.has(request.name)) this.#writing.add(task);
    try {
      return await this.#options.answer(request, connection, task);
    } finally {
      this.#writing.delete(task);
    }
  };

  /** Remembers the number that the cloud has given to this link. Resolves when it is on the disk; throws `state_unwritable`. */
  async keepIncarnation(incarnation: number): Promise<void> {
    try {
      if ((await this.#known()).incarnation !== incarnation) await this.#keep({ incarnation });
    } catch (cause) {
      throw new RocksyError('state_unwritable', `${this.#file.path}: ${(cause as Error).message}`, { cause });
    }
  }

  async #known(): Promise<Credential> {
    this.#credential ??= await this.#file.obtain();
    return this.#credential;
  }

  async #keep(news: Partial<Credential>): Promise<void> {
    const credential = { ...(await this.#known()), ...news };
    await this.#file.write(credential);
    this.#credential = credential;
  }

  /** Read each time: a certificate is replaced without a restart. */
  async #ca(): Promise<string | undefined> {
    const { caFile } = this.#options.join;
    return caFile === null ? undefined : await fs.readFile(caFile, 'utf8');
  }

  #tell(step: Step, url: string, error: unknown): void {
    const { join, log } = this.#options;
    const places = { tokenFile: join.tokenFile, credentialFile: this.#file.path };
    const remedy = step === 'join' ? joinRemedy(error, places) : linkRemedy(error, places);
    const message = (error as Error).message;
    const code = error instanceof Refusal ? error.code : (error as NodeJS.ErrnoException).code;
    const fields = { url, code, reason: message, remedy };
    const what = step === 'join' ? 'this host could not join the cloud' : 'there is no link to the cloud';
    const problem = `${step} ${code ?? message}`;
    log[this.#told === problem ? 'debug' : 'warn'](fields, `${what}; trying again`);
    this.#told = problem;
  }

  /** For a takeover: takes no more requests until `resume`. */
  suspend(): void {
    this.#suspended = true;
    this.#session?.connection.suspend();
  }

  resume(): void {
    this.#suspended = false;
    this.#session?.connection.resume();
  }

  /** Nothing that was asked over a link is still on its way to the disk. */
  get isQuiet(): boolean {
    for (const { isShort } of this.#writing) if (isShort) return false;
    return true;
  }

  /** Ends the link for good, after what is owed to the cloud. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#session?.end(CLOSE.goingAway);
    await this.#running;
  }
}
