import { once } from 'node:events';
import { styleText } from 'node:util';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** What stdout and stderr are to the commands. Results go to stdout, all else to stderr. */
export class Terminal {
  readonly #out: NodeJS.WriteStream;
  readonly #err: NodeJS.WriteStream;

  constructor(out: NodeJS.WriteStream, err: NodeJS.WriteStream) {
    this.#out = out;
    this.#err = err;
    // Whoever read our output has seen enough (`rocksy ps -a | head`): there is nobody left to write to.
    for (const stream of [out, err]) {
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE') throw error;
        process.exit();
      });
    }
  }

  /** How wide a line may be, or null where the output is no terminal. */
  get columns(): number | null {
    return this.#out.isTTY ? this.#out.columns : null;
  }

  /** Null where the output is no terminal. */
  get size(): { readonly columns: number; readonly rows: number } | null {
    return this.#out.isTTY ? { columns: this.#out.columns, rows: this.#out.rows } : null;
  }

  onResize(act: () => void): Disposable {
    this.#out.on('resize', act);
    return { [Symbol.dispose]: () => void this.#out.off('resize', act) };
  }

  /** What is typed, key by key, until it is disposed. Ctrl-C is a key too. */
  onKeys(act: (keys: string) => void): Disposable {
    const { stdin } = process;
    if (!stdin.isTTY) return { [Symbol.dispose]: () => undefined };
    const listener = (keys: Buffer) => act(keys.toString());
    stdin.setRawMode(true).on('data', listener);
    return { [Symbol.dispose]: () => void stdin.off('data', listener).setRawMode(false).pause() };
  }

  write(text: string): void {
    this.#out.write(text);
  }

  print(line: string): void {
    this.#out.write(`${line}\n`);
  }

  json(value: unknown): void {
    this.print(JSON.stringify(value));
  }

  note(line: string): void {
    this.#err.write(`${line}\n`);
  }

  /** Bytes as they are, no faster than they are read. */
  async pass(bytes: Uint8Array | string): Promise<void> {
    if (!this.#out.write(bytes)) await once(this.#out, 'drain');
  }

  /** Coloured where stdout is a terminal and NO_COLOR is not set. */
  paint(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#out });
  }

  paintNote(style: Style, text: string): string {
    return styleText(style, text, { stream: this.#err });
  }
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not reach a terminal
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Text of somebody else on one line, unable to steer the terminal. */
export function harmless(text: string): string {
  return text.replace(CONTROL, (c) =>
    c === '\n' || c === '\t' ? ' ' : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}
