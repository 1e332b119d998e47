// `npm run bench -- NAME [options]` runs bench/NAME.ts. Without a name it lists what there is.
import { spawnSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

const [name, ...options] = process.argv.slice(2);
const programs = globSync('*.ts', { cwd: import.meta.dirname })
  .map((file) => basename(file, '.ts'))
  .filter((program) => program !== 'run')
  .sort();

if (name === undefined || !programs.includes(name)) {
  if (name !== undefined) console.error(`There is no benchmark '${name}'.`);
  console.log('npm run bench -- NAME [options]\n');
  for (const program of programs) console.log(`  ${program.padEnd(10)} ${purposeOf(program)}`);
  process.exitCode = 2;
} else {
  // A process of its own: what is measured must not share its heap with anything else.
  const { status } = spawnSync(process.execPath, [join(import.meta.dirname, `${name}.ts`), ...options], {
    stdio: 'inherit',
  });
  process.exitCode = status ?? 1;
}

/** The first sentence of the comment that each benchmark begins with. */
function purposeOf(program: string): string {
  const text = readFileSync(join(import.meta.dirname, `${program}.ts`), 'utf8');
  const comment =
    /^(?:\/\/ .*\n)+/
      .exec(text)?.[0]
      .replaceAll(/^\/\/ /gm, '')
      .replaceAll('\n', ' ') ?? '';
  return comment.split(/[.:] /)[0]?.trim() ?? '';
}
