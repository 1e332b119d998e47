import { median, round } from '../support/statistics.ts';
import { printTable } from '../support/table.ts';
import type { Peer } from './peer.ts';

/** What was measured of a peer, a value for each round. */
export interface Results {
  readonly peer: Peer;
  /** Why there are none. */
  readonly missing: string | null;
  readonly p50Ms: number[];
  readonly p99Ms: number[];
  readonly jobsPerSecond: number[];
  readonly processesPerSecond: number[];
}

export interface Counts {
  readonly latency: number;
  readonly batch: number;
  readonly processes: number;
  readonly rounds: number;
}

export function printResults(results: readonly Results[], counts: Counts): void {
  const legend = [
    `Medians of ${counts.rounds} rounds in turns (the least – the most); each turn in a new process, in which a library has its worker as well`,
    `first line: from the call of add() to the handler's first line, ms; ${counts.latency} jobs a round, one at a time`,
    `jobs/s: ${counts.batch} jobs that do nothing, from the first add to the last completion in the store`,
    `processes/s: ${counts.processes} jobs, for each of which the handler spawns /bin/true and has its exit code noted`,
  ];
  printTable(
    legend.join('\n'),
    ['', 'first line p50', 'p99', 'jobs/s', 'processes/s'],
    results.map(({ peer, missing, p50Ms, p99Ms, jobsPerSecond, processesPerSecond }) =>
      missing === null
        ? [peer.name, ...[p50Ms, p99Ms, jobsPerSecond, processesPerSecond].map(spread)]
        : [`${peer.name}: not measured, ${missing}`],
    ),
  );
}

/** Without this table nobody should quote the other one. */
export function printIncludes(peers: readonly Peer[]): void {
  printTable(
    'What that includes ("handler": only for processes/s, by code that the user of the library writes)',
    ['', 'own process', 'exit code', 'log of the job', 'HTTP', 'on disk, a power cut later'],
    peers.map(({ name, includes: { ownProcess, exitCode, log, http, durable } }) => [
      name,
      ownProcess,
      exitCode,
      log,
      http,
      durable,
    ]),
  );
  console.log('\nSettings');
  for (const { name, settings } of peers) console.log(`  ${name}: ${settings}`);
}

function spread(values: readonly number[]): string | null {
  if (values.length === 0) return null;
  return `${round(median(values))} (${round(Math.min(...values))} – ${round(Math.max(...values))})`;
}
