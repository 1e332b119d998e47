import { median, quantile } from '../support/statistics.ts';
import { printTable } from '../support/table.ts';
import type { Bare } from '../ways/bare.ts';
import { PAUSE_MS } from './application.ts';
import type { Plan, Results } from './measured.ts';

const MIB = 2 ** 20;

export function printResults({ rows, limit, bare }: Results, plan: Plan): void {
  const { samples, seconds, inFlight } = plan;
  printTable(
    `From the request to the first line of run(), ms; n = ${samples.cold} where a process is started, ${samples.warm} others`,
    ['', `p50, ${PAUSE_MS} ms apart`, 'p99', 'p50, back to back', 'p99'],
    [
      ...rows.map(({ name, calm, busy }) => [
        name,
        median(calm),
        quantile(calm, 0.99),
        median(busy),
        quantile(busy, 0.99),
      ]),
      [
        'limit: bare fork to first statement',
        null,
        null,
        median(bare.one.startsMs),
        quantile(bare.one.startsMs, 0.99),
      ],
      [
        'limit: whole life of a bare fork',
        null,
        null,
        median(bare.one.livesMs),
        quantile(bare.one.livesMs, 0.99),
      ],
    ],
  );
  printTable(
    `The empty class, ${seconds} s each, counted at the known outcome`,
    [
      '',
      'runs/s, 1',
      `runs/s, ${inFlight}`,
      'CPU ms/run, 1',
      `CPU ms/run, ${inFlight}`,
      'page faults/run',
      'private MiB',
    ],
    [
      ...rows.map(({ name, one, many, privateBytes }) => [
        name,
        one.perSecond,
        many.perSecond,
        one.cpuMs,
        many.cpuMs,
        one.faults,
        privateBytes / MIB,
      ]),
      bareRow('limit: bare fork, one at a time', bare.one),
      bareRow('limit: bare fork, two at once', bare.two),
      bareRow('bare fork without huge pages', bare.smallPages),
    ],
  );
  console.log(`limit: ${limit.name}`);
}

function bareRow(name: string, { perSecond, cpuMs, faults, privateBytes }: Bare): (string | number | null)[] {
  return [name, perSecond, null, cpuMs, null, faults, privateBytes / MIB];
}
