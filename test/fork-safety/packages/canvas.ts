// @napi-rs/canvas, which starts threads when it is loaded.
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';
import { picture } from '../picture.ts';

export const jobs = await packageJobs([workload('@napi-rs/canvas: a picture with text', picture)]);
