import type { Logger } from 'pino';
import type { Mask } from '../logs/index.ts';
import type { GenerationFiles, PoolFolder } from './folder.ts';
import { forgetSecrets, keepSecrets, recallSecrets } from './kept-secrets.ts';

/**
 * The secrets that the generations of a pool know, those that have ended not long ago among them: their logs are still
 * read. All of them are hidden by the mask. They are kept for the next daemon as long as the boot logs are.
 */
export class KnownSecrets {
  readonly #pool: string;
  readonly #folder: PoolFolder;
  readonly #mask: Mask;
  readonly #log: Logger;
  /** By the number of the generation. */
  readonly #known = new Map<number, readonly string[]>();

  constructor(pool: string, folder: PoolFolder, mask: Mask, log: Logger) {
    this.#pool = pool;
    this.#folder = folder;
    this.#mask = mask;
    this.#log = log;
  }

  /** Takes up what a former daemon has kept. */
  recall(): void {
    this.#forgetOld();
    const lost: number[] = [];
    for (const { number, secrets } of this.#folder.withSecrets()) {
      const values = recallSecrets(secrets);
      if (values !== null) this.#known.set(number, values);
      else {
        lost.push(number);
        forgetSecrets(secrets);
      }
    }
    if (lost.length > 0) {
      this.#log.warn(
        { generations: lost },
        'the secrets of generations of before are not known any more: where their runs have printed them, they are shown',
      );
    }
    this.#hide();
  }

  /** A generation is about to be started with these: from now on they are hidden. */
  add({ number, secrets }: GenerationFiles, values: readonly string[]): void {
    this.#known.set(number, values);
    this.#hide();
    try {
      keepSecrets(secrets, values);
    } catch (error) {
      this.#log.warn(
        { generation: number, err: error },
        'secrets can not be kept in memory for the next daemon: it will start another generation instead',
      );
    }
  }

  has(number: number): boolean {
    return this.#known.has(number);
  }

  /** Forgets what belongs to generations of which nothing is left. */
  tidy(): void {
    if (this.#forgetOld()) this.#hide();
  }

  #forgetOld(): boolean {
    const left = new Set(this.#folder.remembered());
    for (const files of this.#folder.withSecrets()) {
      if (!left.has(files.number)) forgetSecrets(files.secrets);
    }
    const old = [...this.#known.keys()].filter((number) => !left.has(number));
    for (const number of old) this.#known.delete(number);
    return old.length > 0;
  }

  #hide(): void {
    this.#mask.hide(this.#pool, [...new Set([...this.#known.values()].flat())]);
  }
}
