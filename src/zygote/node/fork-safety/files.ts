import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs, { createReadStream, createWriteStream, openAsBlob } from 'node:fs';
import { appendFile, cp, open, readdir, readFile, rename, stat, watch, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { inFolder, short, type Workload, workload } from './workload.ts';

const MEGABYTE = 1 << 20;

/** Files: in the main thread, and in those of the threadpool. */
export const files: readonly Workload[] = [
  short('fs, synchronous', () =>
    inFolder((folder) => {
      const file = join(folder, 'a');
      fs.writeFileSync(file, 'content');
      fs.appendFileSync(file, ', more');
      fs.mkdirSync(join(folder, 'b/c'), { recursive: true });
      fs.copyFileSync(file, join(folder, 'b/c/d'));
      assert.equal(fs.readFileSync(join(folder, 'b/c/d'), 'utf8'), 'content, more');
      assert.deepEqual(fs.readdirSync(folder, { recursive: true }).sort(), ['a', 'b', 'b/c', 'b/c/d']);
    }),
  ),
  short('fs, promises', () =>
    inFolder(async (folder) => {
      const file = join(folder, 'a');
      await writeFile(file, 'content');
      await appendFile(file, ', more');
      await rename(file, join(folder, 'b'));
      await cp(join(folder, 'b'), join(folder, 'c'));
      assert.equal(await readFile(join(folder, 'c'), 'utf8'), 'content, more');
      assert.equal((await stat(join(folder, 'c'))).size, 13);
      assert.deepEqual((await readdir(folder)).sort(), ['b', 'c']);
    }),
  ),
  short('fs, callbacks', async () => {
    const text = await promisify(fs.readFile)('/proc/self/stat', 'latin1');
    assert.equal(Number.parseInt(text, 10), process.pid);
    await assert.rejects(promisify(fs.readFile)('/proc/no/such/file'), { code: 'ENOENT' });
  }),
  workload('hundreds of files at a time', () =>
    inFolder(async (folder) => {
      const names = Array.from({ length: 300 }, (_, index) => join(folder, `file-${index}`));
      await Promise.all(names.map((name) => writeFile(name, name)));
      const texts = await Promise.all(names.map((name) => readFile(name, 'utf8')));
      assert.deepEqual(texts, names);
    }),
  ),
  workload('streams of files', () =>
    inFolder(async (folder) => {
      const [from, to] = [join(folder, 'a'), join(folder, 'b')];
      const bytes = Buffer.alloc(8 * MEGABYTE, 'the same line again\n');
      await pipeline([bytes], createWriteStream(from));
      await pipeline(createReadStream(from), createWriteStream(to));
      assert.ok(bytes.equals(await readFile(to)));
    }),
  ),
  workload('a FileHandle', () =>
    inFolder(async (folder) => {
      await using handle = await open(join(folder, 'a'), 'w+');
      await handle.write('0123456789');
      await handle.write('xy', 4);
      await handle.datasync();
      const { buffer } = await handle.read(Buffer.alloc(10), 0, 10, 0);
      assert.equal(buffer.toString(), '0123xy6789');
    }),
  ),
  workload('fs.watch', () =>
    inFolder(async (folder) => {
      const watcher = fs.watch(folder);
      const changed = once(watcher, 'change');
      fs.writeFileSync(join(folder, 'new'), '');
      assert.deepEqual(await changed, ['rename', 'new']);
      watcher.close();
    }),
  ),
  workload('fs.promises.watch, until it is aborted', () =>
    inFolder(async (folder) => {
      const controller = new AbortController();
      const seen: (string | null)[] = [];
      setImmediate(() => fs.writeFileSync(join(folder, 'new'), ''));
      const watching = async (): Promise<void> => {
        for await (const { filename } of watch(folder, { signal: controller.signal })) {
          seen.push(filename);
          controller.abort();
        }
      };
      await assert.rejects(watching(), { name: 'AbortError' });
      assert.equal(seen[0], 'new');
    }),
  ),
  workload('readline', () =>
    inFolder(async (folder) => {
      const file = join(folder, 'lines');
      await writeFile(file, Array.from({ length: 20_000 }, (_, index) => `line ${index}`).join('\r\n'));
      let last = '';
      let count = 0;
      for await (const line of createInterface({ input: createReadStream(file) })) {
        last = line;
        count++;
      }
      assert.deepEqual([count, last], [20_000, 'line 19999']);
    }),
  ),
  workload('Blob and File, in memory and of a file', () =>
    inFolder(async (folder) => {
      const blob = new Blob(['one ', new Uint8Array([50]), new File([' three'], 'three.txt')]);
      assert.equal(await blob.text(), 'one 2 three');
      assert.equal(await blob.slice(4, 5).text(), '2');
      const file = join(folder, 'large');
      await writeFile(file, Buffer.alloc(MEGABYTE, 'x'));
      assert.equal((await (await openAsBlob(file)).arrayBuffer()).byteLength, MEGABYTE);
    }),
  ),
];
