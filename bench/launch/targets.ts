import { median, round } from '../support/statistics.ts';
import { printTable } from '../support/table.ts';
import type { Aims } from './application.ts';
import type { Measured, Results } from './measured.ts';

export type Target = readonly [
  name: string,
  measured: number,
  unit: string,
  wanted: number,
  side: 'at most' | 'at least',
];

export function targetsOf({ rows, bare }: Results, { ofLimit, timesCold }: Aims): Target[] {
  const of = (kind: Measured['kind']): Measured[] => rows.filter((row) => row.kind === kind);
  const [fork, prefork] = [of('fork')[0], of('prefork')[0]];
  if (fork === undefined || prefork === undefined) throw new Error('an application needs both ways to fork');
  const life = median(bare.one.livesMs);
  const start = median(bare.one.startsMs);
  const colds = of('cold');
  const allowed = (ms: number): number => ofLimit * ms + 1;
  const forked = median(fork.calm);
  return [
    [
      `fork on request p50, against ${ofLimit} × a bare fork and 1 ms`,
      forked,
      ' ms',
      allowed(life),
      'at most',
    ],
    ['  against its first statement', forked, ' ms', allowed(start), 'at most'],
    ['fork on request p50, back to back', median(fork.busy), ' ms', allowed(life), 'at most'],
    ['prefork p50', median(prefork.calm), ' ms', 1, 'at most'],
    ['prefork p50, back to back', median(prefork.busy), ' ms', 1, 'at most'],
    ...[prefork, fork].flatMap((warm) =>
      colds.flatMap((cold): Target[] => [
        [
          `${warm.name}: times faster than ${cold.name}`,
          median(cold.calm) / median(warm.calm),
          ' ×',
          timesCold[warm.kind === 'fork' ? 'fork' : 'prefork'],
          'at least',
        ],
        [
          '  back to back',
          median(cold.busy) / median(warm.busy),
          ' ×',
          timesCold[warm.kind === 'fork' ? 'fork' : 'prefork'],
          'at least',
        ],
        [
          '  CPU per run in % of it, 1 in flight',
          (100 * warm.one.cpuMs) / cold.one.cpuMs,
          ' %',
          5,
          'at most',
        ],
        ['  many in flight', (100 * warm.many.cpuMs) / cold.many.cpuMs, ' %', 5, 'at most'],
      ]),
    ),
  ];
}

export function printTargets(title: string, targets: readonly Target[]): void {
  printTable(
    title,
    ['', 'measured', 'wanted', ''],
    targets.map(([name, measured, unit, wanted, side]) => [
      name,
      round(measured) + unit,
      `${side} ${round(wanted)}${unit}`,
      (side === 'at most' ? measured <= wanted : measured >= wanted) ? 'yes' : 'no',
    ]),
  );
}
