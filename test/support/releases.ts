// Releases beside the checkout, and a link to the one that is installed: what the next worker is started from.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
const { version: VERSION } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8')) as {
  readonly version: string;
};

/** A change of one source file: replaces a text that has to be there, once. */
export interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export class Releases implements Disposable {
  readonly #folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-releases-'));
  readonly #link = path.join(this.#folder, 'current');
  #count = 0;

  /** The checkout is installed. */
  constructor() {
    // The zygotes of a pool with a user of its own are started from here too.
    fs.chmodSync(this.#folder, 0o755);
    fs.symlinkSync(ROOT, this.#link);
  }

  get program(): string {
    return path.join(this.#link, 'bin/rocksyd.cjs');
  }

  get cloudProgram(): string {
    return path.join(this.#link, 'bin/rocksy.cjs');
  }

  /** Installs the checkout as it is. */
  restore(): void {
    this.#install(ROOT);
  }

  /** Installs a copy of the checkout under a version that no other has, and returns that. */
  next(): string {
    const version = `${VERSION}-next.${this.#count + 1}`;
    const line = (text: string) => `"version": "${text}"`;
    this.change({ file: 'package.json', from: line(VERSION), to: line(version) });
    return version;
  }

  /** Installs a copy of the checkout that differs in these places. */
  change(...changes: readonly Change[]): void {
    const root = path.join(this.#folder, `release-${++this.#count}`);
    for (const name of ['bin', 'src', 'package.json'])
      fs.cpSync(path.join(ROOT, name), path.join(root, name), { recursive: true, filter: isNoTest });
    fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(root, 'node_modules'));
    for (const { file, from, to } of changes) {
      const text = fs.readFileSync(path.join(root, file), 'utf8');
      assert.equal(text.split(from).length, 2, `${file} has to have once: ${from}`);
      fs.writeFileSync(
        path.join(root, file),
        text.replace(from, () => to),
      );
    }
    this.#install(root);
  }

  #install(root: string): void {
    fs.symlinkSync(root, `${this.#link}.new`);
    fs.renameSync(`${this.#link}.new`, this.#link);
  }

  [Symbol.dispose](): void {
    fs.rmSync(this.#folder, { recursive: true });
  }
}

function isNoTest(file: string): boolean {
  return !/\.test\.ts$|\/fixtures$/.test(file);
}
