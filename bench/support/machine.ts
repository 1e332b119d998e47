import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** What the numbers were measured on, line by line. */
export function describeMachine(folder: string): string[] {
  const php = execFileSync('php', ['-r', 'echo PHP_VERSION;'], { encoding: 'utf8' });
  const [cpu] = os.cpus();
  const disk = execFileSync('df', ['--output=source,fstype', folder], { encoding: 'utf8' })
    .trim()
    .split('\n');
  const hugePages = /\[(\w+)\]/.exec(
    readFileSync('/sys/kernel/mm/transparent_hugepage/enabled', 'utf8'),
  )?.[1];
  return [
    `${new Date().toISOString().slice(0, 10)}, ${os.availableParallelism()} cores (${cpu?.model.trim() ?? '?'}), ` +
      `${Math.round(os.totalmem() / 2 ** 30)} GiB, Linux ${os.release()}, transparent huge pages: ${hugePages}`,
    `Node ${process.versions.node}, PHP ${php}, state on ${disk.at(-1)?.trim().replaceAll(/\s+/g, ' ')}`,
    `load ${os.loadavg()[0]?.toFixed(2)} at the beginning`,
  ];
}
