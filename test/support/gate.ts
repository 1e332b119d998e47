// Something that runs wait at until the test lets them go on, however many they are and however late they come.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import type { TestDaemon } from './daemon.ts';

/**
 * A FIFO that the test holds open: who reads it waits. Opened, it has become an empty file, and whoever waits reads its
 * end. In a shell: `read _ < "$gate"`; in PHP: `file_get_contents($gate)`.
 */
export class Gate implements Disposable {
  readonly path: string;
  #descriptor: number | null;

  constructor({ scratch }: TestDaemon, name = 'gate') {
    this.path = path.join(scratch, name);
    execFileSync('mkfifo', ['-m', '666', this.path]);
    this.#descriptor = fs.openSync(this.path, 'r+');
  }

  open(): void {
    if (this.#descriptor === null) return;
    // Latecomers find the file, those who wait the end of the last writer: this one.
    fs.writeFileSync(`${this.path}.open`, '', { mode: 0o644 });
    fs.renameSync(`${this.path}.open`, this.path);
    fs.closeSync(this.#descriptor);
    this.#descriptor = null;
  }

  [Symbol.dispose](): void {
    this.open();
  }
}
