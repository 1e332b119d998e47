// Skia, whose images are encoded in other threads.
import assert from 'node:assert/strict';
import { createCanvas, loadImage } from '@napi-rs/canvas';

export async function picture(): Promise<void> {
  const canvas = createCanvas(200, 100);
  const context = canvas.getContext('2d');
  context.fillStyle = '#0a141e';
  context.fillRect(0, 0, 200, 100);
  context.fillStyle = 'white';
  context.font = '24px sans-serif';
  context.fillText('some text', 20, 60);
  const images = await Promise.all([canvas.encode('png'), canvas.encode('png'), canvas.encode('png')]);
  const back = createCanvas(200, 100);
  back.getContext('2d').drawImage(await loadImage(images[0] ?? Buffer.alloc(0)), 0, 0);
  assert.deepEqual([...back.getContext('2d').getImageData(1, 1, 1, 1).data], [10, 20, 30, 255]);
}
