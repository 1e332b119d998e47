import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import { short, type Workload, workload } from './workload.ts';

/** Half of it compresses well, half not at all. */
const bytesOf = (length: number): Buffer =>
  Buffer.concat([randomBytes(length / 2), Buffer.alloc(length / 2, 'again and ')]);

type Codec = (bytes: Buffer) => Promise<Buffer>;

async function thereAndBack(pack: Codec, unpack: Codec, length: number): Promise<void> {
  const all = Array.from({ length: 6 }, () => bytesOf(length));
  const back = await Promise.all(all.map(async (bytes) => unpack(await pack(bytes))));
  assert.ok(all.every((bytes, index) => bytes.equals(back[index] ?? Buffer.alloc(0))));
}

/** zlib, whose work is done in the threadpool. */
export const compression: readonly Workload[] = [
  short('gzip', () => thereAndBack(promisify(zlib.gzip), promisify(zlib.gunzip), 10_000)),
  workload('deflate, large', () => thereAndBack(promisify(zlib.deflate), promisify(zlib.inflate), 2_000_000)),
  workload('brotli', () =>
    thereAndBack(promisify(zlib.brotliCompress), promisify(zlib.brotliDecompress), 20_000),
  ),
  workload('zstd', () => thereAndBack(promisify(zlib.zstdCompress), promisify(zlib.zstdDecompress), 500_000)),
  workload('a stream through gzip', async () => {
    const bytes = bytesOf(3_000_000);
    const stream = Readable.from([bytes]).pipe(zlib.createGzip()).pipe(zlib.createGunzip());
    assert.ok(bytes.equals(await buffer(stream)));
  }),
];
