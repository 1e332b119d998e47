// @napi-rs/canvas as it has to be: loaded by the run.
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

export const jobs = await packageJobs([
  workload('@napi-rs/canvas, loaded by the run: a picture with text', async () => {
    const { picture } = await import('../picture.ts');
    await picture();
  }),
]);
