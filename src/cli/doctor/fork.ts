import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import type { Report, Trial } from '../../zygote/node/trials/index.ts';
import type { Finding } from './finding.ts';

const TIMES = 3;
const LIMIT_MS = 60_000;

/**
 * Whether a forked child of a Node is a whole one: what jobs do, each three times, in children of real zygotes.
 * @param node path of a Node; undefined: the one that Rocksy brings
 */
export async function forkChecks(node: string | undefined): Promise<Finding[]> {
  const interpreter = node === undefined ? null : resolve(node);
  const name = `fork of ${interpreter ?? process.execPath}`;
  if (interpreter !== null && !isExecutable(interpreter)) {
    return [{ verdict: 'missing', name, detail: 'is no program', remedy: 'give --node the path of a Node' }];
  }
  const remedy =
    interpreter === null
      ? 'say `fork: false` in node pools, and report this'
      : 'leave `interpreter` out of the pool, for the Node that Rocksy brings, or say `fork: false`';
  const findings: Finding[] = [];
  let works = 0;
  try {
    for await (const trial of trials(interpreter)) {
      if (trial.kind === 'refused') {
        const detail = trial.findings.map(({ message }) => message).join('; ');
        return [{ verdict: 'missing', name, detail, remedy }];
      }
      const failed = trial.reports.filter(({ failures }) => failures.length > 0);
      works += trial.reports.length - failed.length;
      findings.push(
        ...failed.map((report): Finding => ({ verdict: 'missing', ...describe(report), remedy })),
      );
    }
  } catch (error) {
    return [{ verdict: 'missing', name, detail: (error as Error).message, remedy }];
  }
  const detail = `${works} things that jobs do work in forked children, on request and parked (each ${TIMES} times)`;
  return works === 0 ? findings : [{ verdict: 'ok', name, detail }, ...findings];
}

async function* trials(interpreter: string | null): AsyncGenerator<Trial> {
  const { ALLOW, BOOTSTRAPS, tryWorkloads } = await import('../../zygote/node/trials/index.ts'); // for no other command
  for (const bootstrap of BOOTSTRAPS) {
    const subject = { bootstrap, interpreter, env: new Map(), allow: ALLOW };
    yield await tryWorkloads({ subject, times: TIMES, limitMs: LIMIT_MS, only: '' });
  }
}

function describe({ name, tried, failures }: Report): Pick<Finding, 'name' | 'detail'> {
  const told = failures.map(({ how, why }) => `${how}, ${why}`);
  return {
    name: `fork, ${name}`,
    detail: `${failures.length} of ${tried}: ${[...new Set(told)].join('; ')}`,
  };
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
