import path from 'node:path';

const ROOT = path.resolve(import.meta.dirname, '../..');
export const BOOTSTRAP = path.join(ROOT, 'bench/app/php/bootstrap.php');
const AUTOLOAD = path.join(ROOT, 'bench/app/php/autoload.php');
const COLD = path.join(ROOT, 'examples/symfony/cold.php');

/** opcache for the command line, as the zygote has it, for those that are compared with it. */
export const OPCACHE = ['-d', 'opcache.enable_cli=1', '-d', 'opcache.validate_timestamps=0'];

/** php's arguments for a cold run: the very script of the example, which finds the measured classes by a prepended file. */
export function coldArguments(fileCache: string | null): string[] {
  const cache =
    fileCache === null
      ? []
      : ['opcache.enable_cli=1', 'opcache.file_cache_only=1', `opcache.file_cache=${fileCache}`];
  return [...cache, `auto_prepend_file=${AUTOLOAD}`].flatMap((setting) => ['-d', setting]).concat(COLD);
}
