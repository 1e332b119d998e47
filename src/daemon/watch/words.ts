import path from 'node:path';
import type { RocksyError } from '../../wire/index.ts';

/** What a developer is told. One line, or a line and what a program has printed. */

/** @param dir paths are shown from here */
export function changes(pool: string, files: readonly string[], dir: string): string {
  const [first = ''] = files;
  const others = files.length - 1;
  const rest = others === 0 ? 'has' : `and ${others} other${others === 1 ? '' : 's'} have`;
  return `${pool}: ${shortest(first, dir)} ${rest} changed`;
}

export function serves(pool: string, generation: number, before: 'well' | 'broken'): string {
  return `${pool}: ${before === 'broken' ? 'mended, ' : ''}generation ${generation} serves the new code`;
}

/** @param serving the generation that goes on */
export function fails(pool: string, { message, output, hint }: RocksyError, serving: number | null): string {
  const reason = message.replace(`pool ${pool}: `, '');
  const now =
    serving === null
      ? 'nothing serves until it is mended'
      : `generation ${serving} serves on, with the code of before`;
  const printed = output === undefined || output.trim() === '' ? (hint ?? '') : output;
  return `${pool}: its code can't be loaded; ${now}\n${indented(`${printed}\n${reason}`)}`;
}

export function indented(text: string): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => `    ${line}`)
    .join('\n');
}

function shortest(file: string, dir: string): string {
  const relative = path.relative(dir, file);
  return relative.startsWith('..') ? file : relative;
}
