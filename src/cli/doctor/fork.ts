import { accessSync, constants } from 'node:fs';
import { resolve } from 'node:path';
import type { Finding } from './finding.ts';

const TIMES = 3;
const LIMIT_MS = 60_000;

/**
 * Whether a forked child of this Node is a whole one: what jobs do, each three times, in children of real zygotes.
 * @param node path of a Node; undefined: the one that Rocksy brings
 */
export async function forkChecks(node: string | undefined): Promise<Finding[]> {
  const interpreter = node === undefined ? null : resolve(node);
  const name = `fork of ${interpreter ?? process.execPath}`;
  if (interpreter !== null && !isExecutable(interpreter)) {
    return [{ verdict: 'missing', name, detail: 'is no program', remedy: 'give --node the path of a Node' }];
  }
  // Not loaded by any other command.
  const { BOOTSTRAPS, tryWorkloads } = await import('../../zygote/node/trials/index.ts');
  const remedy =
    interpreter === null
      ? 'say `fork: false` in node pools, and report this'
      : 'leave `interpreter` out of the pool, for the Node that Rocksy brings, or say `fork: false`';
  const findings: Finding[] = [];
  let works = 0;
  for (const bootstrap of BOOTSTRAPS) {
    const subject = { bootstrap, interpreter, env: new Map() };
    try {
      const trial = await tryWorkloads({ subject, times: TIMES, limitMs: LIMIT_MS, only: '' });
      if (trial.kind === 'refused') {
        const detail = trial.findings.map(({ message }) => message).join('; ');
        findings.push({ verdict: 'missing', name, detail, remedy });
        continue;
      }
      for (const { name: workload, tried, failures } of trial.reports) {
        const [first] = failures;
        if (first === undefined) works++;
        else {
          const detail = `${failures.length} of ${tried}: ${first.how}, ${first.why}`;
          findings.push({ verdict: 'missing', name: `fork, ${workload}`, detail, remedy });
        }
      }
    } catch (error) {
      findings.push({ verdict: 'missing', name, detail: (error as Error).message, remedy });
    }
  }
  const detail = `${works} things that jobs do work in forked children, on request and parked (each ${TIMES} times)`;
  return works === 0 ? findings : [{ verdict: 'ok', name, detail }, ...findings];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
