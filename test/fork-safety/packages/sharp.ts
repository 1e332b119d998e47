// libvips, with threads of its own beside those of the threadpool.
import assert from 'node:assert/strict';
import sharp from 'sharp';
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

async function thumbnail(red: number): Promise<Buffer> {
  const photo = sharp({
    create: { width: 1200, height: 800, channels: 3, background: { r: red, g: 20, b: 30 } },
  });
  const jpeg = await photo.jpeg().toBuffer();
  return await sharp(jpeg).resize(120).blur(2).removeAlpha().raw().toBuffer();
}

export const jobs = await packageJobs([
  workload('sharp: images made small', async () => {
    const reds = [10, 100, 200];
    const images = await Promise.all(reds.map(thumbnail));
    for (const [index, red] of reds.entries()) {
      assert.equal(images[index]?.length, 120 * 80 * 3);
      assert.ok(Math.abs((images[index]?.[0] ?? 0) - red) <= 3);
    }
  }),
]);
