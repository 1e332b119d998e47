// Writes schemas/: what editors know job files by. `npm run schemas`; a test holds that they are in step with the code.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { jobFileSchema } from '../src/cloud/jobs/index.ts';

const folder = join(import.meta.dirname, '../schemas');
writeFileSync(join(folder, 'jobs.json'), `${JSON.stringify(jobFileSchema, null, 2)}\n`);
