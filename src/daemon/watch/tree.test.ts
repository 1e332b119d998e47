import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Tree } from './tree.ts';

/** A folder that is watched, and what was told of it. */
class Place implements Disposable {
  readonly folder = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-tree-'));
  readonly failures: string[] = [];
  readonly #told = new Set<string>();
  readonly #tree: Tree;
  #wake = (): void => undefined;

  constructor() {
    this.#tree = new Tree({
      roots: [this.folder],
      isEntered: (folder) => path.basename(folder) !== 'none',
      isSource: (name) => name.endsWith('.src'),
      changed: (file) => {
        this.#told.add(path.relative(this.folder, file));
        this.#wake();
      },
      failed: (message) => this.failures.push(message),
    });
  }

  async open(): Promise<string | null> {
    const newest = await this.#tree.open();
    return newest === null ? null : path.relative(this.folder, newest.file);
  }

  get size(): number {
    return this.#tree.size;
  }

  write(name: string): void {
    const file = path.join(this.folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, 'x');
  }

  /** Resolves when this has been told; what was told until then is forgotten. */
  async tells(name: string): Promise<void> {
    while (!this.#told.has(name)) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#told.clear();
  }

  get told(): readonly string[] {
    return [...this.#told].sort();
  }

  [Symbol.dispose](): void {
    this.#tree[Symbol.dispose]();
    fs.rmSync(this.folder, { recursive: true });
  }
}

test('tells of sources that change, come and go, at any depth, and of nothing else', async () => {
  using place = new Place();
  place.write('a/b/one.src');
  await place.open();
  place.write('a/b/one.log');
  place.write('none/two.src');
  place.write('a/b/one.src');
  await place.tells('a/b/one.src');
  fs.rmSync(path.join(place.folder, 'a/b/one.src'));
  await place.tells('a/b/one.src');
  place.write('a/new/deep/three.src');
  await place.tells('a/new/deep/three.src');
  place.write('a/new/deep/three.src');
  await place.tells('a/new/deep/three.src');
  assert.deepEqual(place.failures, []);
});

test('a folder that is deleted and made again, or renamed, is watched as it is then', async () => {
  using place = new Place();
  place.write('a/b/one.src');
  await place.open();
  fs.rmSync(path.join(place.folder, 'a'), { recursive: true });
  await place.tells('a');
  place.write('a/b/one.src');
  await place.tells('a/b/one.src');
  place.write('a/b/one.src');
  await place.tells('a/b/one.src');
  fs.renameSync(path.join(place.folder, 'a'), path.join(place.folder, 'z'));
  await place.tells('z/b/one.src');
  place.write('z/b/one.src');
  await place.tells('z/b/one.src');
  assert.equal(place.size, 3);
});

test('links to folders are followed, in circles and to nowhere without harm', async () => {
  using place = new Place();
  const elsewhere = fs.mkdtempSync(path.join(os.tmpdir(), 'rocksy-tree-'));
  fs.symlinkSync(elsewhere, path.join(place.folder, 'shared'));
  fs.symlinkSync('.', path.join(place.folder, 'self'));
  fs.symlinkSync('nowhere', path.join(place.folder, 'dangling'));
  fs.symlinkSync('circle', path.join(place.folder, 'circle'));
  await place.open();
  assert.equal(place.size, 2);
  fs.writeFileSync(path.join(elsewhere, 'four.src'), '');
  await place.tells(path.relative(place.folder, path.join(elsewhere, 'four.src')));
  fs.rmSync(elsewhere, { recursive: true });
});

test('says which source changed last before it began', async () => {
  using place = new Place();
  assert.equal(await place.open(), null);
  using other = new Place();
  other.write('a/old.src');
  other.write('a/new.src');
  const [old, young] = ['old', 'new'].map((name) => path.join(other.folder, `a/${name}.src`)) as [
    string,
    string,
  ];
  // Times of files go by the ticks of the kernel's clock.
  while (fs.statSync(young).ctimeMs <= fs.statSync(old).ctimeMs) fs.utimesSync(young, 0, 0);
  // A changed name counts, whatever time the file says it was written at.
  assert.equal(await other.open(), 'a/new.src');
});
