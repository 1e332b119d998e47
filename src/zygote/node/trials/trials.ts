import type { Finding } from '../../contract.ts';
import type { Listed } from '../fork-safety/index.ts';
import { type Birth, type Failure, judge, type Report } from './report.ts';
import { type Subject, TriedZygote } from './tried-zygote.ts';

export type { Subject };

/** Runs at a time. */
const LANES = 4;
/** So many children are parked at least before each run: nobody's is taken by another lane. */
const PARKED = 2 * LANES;
/** After so many failures a workload is not tried any more: they are what there is to know. */
const MOST_FAILURES = 5;

export interface Plan {
  readonly subject: Subject;
  /** How often each workload runs: half of them in children forked on request, half in parked ones. */
  readonly times: number;
  /** What has not ended by then hangs. */
  readonly limitMs: number;
  /** Only workloads with this in their name. */
  readonly only: string;
}

/** `refused`: the inspection has found what children can't share, so none was made. */
export type Trial =
  | { readonly kind: 'refused'; readonly findings: readonly Finding[] }
  | { readonly kind: 'tried'; readonly reports: readonly Report[] };

interface Record {
  readonly workload: Listed;
  tried: number;
  readonly failures: Failure[];
  readonly tookMs: { readonly [B in Birth]: number[] };
}

/** Rejects where the zygote does not start. */
export async function tryWorkloads(plan: Plan): Promise<Trial> {
  const records = new Map<string, Record>();
  const halves = [
    { birth: 'request', prefork: 0, times: Math.ceil(plan.times / 2) },
    { birth: 'parked', prefork: PARKED, times: Math.floor(plan.times / 2) },
  ] as const;
  for (const { birth, prefork, times } of halves) {
    await using zygote = await TriedZygote.start(plan.subject, prefork);
    if (zygote.findings.length > 0) return { kind: 'refused', findings: zygote.findings };
    for (const workload of await listOf(zygote, plan.limitMs)) {
      if (!workload.name.includes(plan.only) || records.has(workload.name)) continue;
      records.set(workload.name, { workload, tried: 0, failures: [], tookMs: { request: [], parked: [] } });
    }
    await inLanes(times, [...records.values()], (record) => tryOnce(zygote, birth, record, plan.limitMs));
  }
  return {
    kind: 'tried',
    reports: [...records.values()].map(({ workload: { name }, ...report }) => ({ name, ...report })),
  };
}

async function listOf(zygote: TriedZygote, limitMs: number): Promise<Listed[]> {
  const end = await zygote.run('Workloads', [], limitMs);
  const failure = judge(0, end);
  if (failure !== null) throw new Error(`not even a list of workloads: ${failure.how}, ${failure.why}`);
  return end.kind === 'ended' ? JSON.parse(end.result) : [];
}

/** In rounds, so that a workload meets others rather than itself. */
async function inLanes(
  times: number,
  records: readonly Record[],
  tryIt: (record: Record) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < times * records.length) {
      const record = records[next++ % records.length];
      if (record !== undefined && record.failures.length < MOST_FAILURES) await tryIt(record);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function tryOnce(zygote: TriedZygote, birth: Birth, record: Record, limitMs: number): Promise<void> {
  const { workload, failures, tookMs } = record;
  record.tried++;
  try {
    if (birth === 'parked') await zygote.parked(LANES, limitMs);
    const begun = performance.now();
    const failure = judge(workload.exitCode, await zygote.run('Workload', [workload.name], limitMs));
    if (failure === null) tookMs[birth].push(performance.now() - begun);
    else failures.push(failure);
  } catch (error) {
    failures.push({ how: 'not run', why: (error as Error).message, log: '' });
  }
}
