import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import pino from 'pino';
import { Mask } from '../logs/index.ts';
import { type GenerationFiles, PoolFolder } from './folder.ts';
import { forgetSecrets, recallSecrets } from './kept-secrets.ts';
import { KnownSecrets } from './known-secrets.ts';

const state = fs.mkdtempSync(path.join(tmpdir(), 'rocksy-secrets-'));
after(() => fs.rmSync(state, { recursive: true }));

let pools = 0;

/** A pool's folder, and daemons that come and go over it. */
class Ground implements Disposable {
  readonly #name = `pool-${pools++}`;
  readonly folder = new PoolFolder(state, this.#name);
  readonly warnings: string[] = [];
  readonly #log = pino({ level: 'warn' }, { write: (line: string) => this.warnings.push(line) });

  constructor() {
    this.folder.create(null);
  }

  daemon(): { readonly mask: Mask; readonly known: KnownSecrets } {
    const mask = new Mask([]);
    return { mask, known: new KnownSecrets(this.#name, this.folder, mask, this.#log) };
  }

  /** What a generation leaves that is started: its boot log, and while it lives its socket. */
  begin(number: number): GenerationFiles {
    const files = this.folder.files(number);
    for (const file of [files.bootLog, files.socket]) fs.writeFileSync(file, '');
    return files;
  }

  [Symbol.dispose](): void {
    for (const { secrets } of this.folder.withSecrets()) forgetSecrets(secrets);
  }
}

test('what a generation knows is hidden from when it is added, also by the next daemon', () => {
  using ground = new Ground();
  const before = ground.daemon();
  before.known.add(ground.folder.files(1), ['first-value']);
  assert.equal(before.mask.text('a first-value b'), 'a *** b');
  ground.begin(1);
  const next = ground.daemon();
  assert.equal(next.known.has(1), false);
  next.known.recall();
  assert.equal(next.mask.text('a first-value b'), 'a *** b');
  assert.equal(next.known.has(1), true);
  assert.deepEqual(ground.warnings, []);
});

test('values are kept in memory, for the daemon’s user only, and nothing of them in the state directory', () => {
  using ground = new Ground();
  const { known } = ground.daemon();
  const files = ground.begin(1);
  known.add(files, ['first-value']);
  const kept = fs.readlinkSync(files.secrets);
  assert.match(kept, /^\/dev\/shm\/rocksyd-[0-9a-f]{32}$/);
  assert.equal(fs.statSync(kept).mode & 0o777, 0o600);
  // Started once more under the same number: the former file is gone.
  known.add(files, ['second-value']);
  assert.equal(fs.existsSync(kept), false);
  assert.deepEqual(recallSecrets(files.secrets), ['second-value']);
});

test('values of a generation that has ended stay hidden as long as its boot log is there', () => {
  using ground = new Ground();
  const { known, mask } = ground.daemon();
  for (let number = 1; number <= 12; number++) {
    known.add(ground.folder.files(number), [`value-${number}-`]);
    ground.begin(number);
  }
  const text = (number: number): string => mask.text(`value-${number}-`);
  // The second lives on.
  for (const number of [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) {
    ground.folder.remove(ground.folder.files(number));
    known.tidy();
  }
  assert.deepEqual([1, 2, 3, 12].map(text), ['value-1-', '***', '***', '***']);
  assert.deepEqual(
    ground.folder.withSecrets().map(({ number }) => number),
    [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
  );
});

test('what is kept for a start that never began is forgotten', () => {
  using ground = new Ground();
  const before = ground.daemon();
  const files = ground.folder.files(1);
  before.known.add(files, ['first-value']);
  const kept = fs.readlinkSync(files.secrets);
  const next = ground.daemon();
  next.known.recall();
  assert.equal(next.mask.text('first-value'), 'first-value');
  assert.equal(fs.existsSync(kept), false);
  assert.deepEqual(ground.folder.withSecrets(), []);
});

test('what is lost is told once, and what somebody else has put in its place is not believed', () => {
  using ground = new Ground();
  const before = ground.daemon();
  for (const number of [1, 2]) before.known.add(ground.begin(number), ['first-value']);
  fs.rmSync(fs.readlinkSync(ground.folder.files(1).secrets));
  const other = fs.readlinkSync(ground.folder.files(2).secrets);
  fs.chmodSync(other, 0o644);
  const next = ground.daemon();
  next.known.recall();
  assert.deepEqual([next.known.has(1), next.known.has(2)], [false, false]);
  next.known.recall();
  assert.equal(ground.warnings.length, 1);
  assert.match(ground.warnings.join(), /"generations":\[1,2\].*not known any more/);
});
