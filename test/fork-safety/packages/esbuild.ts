// A compiler that runs as a process of its own, which is started with the first request and answers over pipes.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import esbuild from 'esbuild';
import { inFolder, workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

export const jobs = await packageJobs([
  workload('esbuild: transform and build', () =>
    inFolder(async (folder) => {
      const { code } = await esbuild.transform('let answer: number = 6 * 7', { loader: 'ts' });
      assert.equal(code, 'let answer = 6 * 7;\n');
      writeFileSync(join(folder, 'a.ts'), "import { b } from './b.ts'; console.log(b as number);");
      writeFileSync(join(folder, 'b.ts'), 'export const b = 42;');
      const { outputFiles } = await esbuild.build({
        entryPoints: [join(folder, 'a.ts')],
        bundle: true,
        write: false,
      });
      assert.match(outputFiles[0]?.text ?? '', /var b = 42;\s+\/\/.*\s+console\.log\(b\)/);
    }),
  ),
]);
