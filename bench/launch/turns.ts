import { ratios } from '../support/in-turns.ts';
import { median } from '../support/statistics.ts';
import { printTable } from '../support/table.ts';
import type { Target } from './targets.ts';

/** Rates measured in turns, round by round: two kinds of bare fork, the original's way, fork on request, prefork. */
export interface Turns {
  readonly inFlight: number;
  readonly seconds: number;
  readonly names: readonly string[];
  readonly rates: readonly (readonly number[])[];
}

export function printTurns({ inFlight, seconds, names, rates }: Turns): void {
  const rounds = rates[0]?.length ?? 0;
  printTable(
    `Runs/s with ${inFlight} in flight, in ${rounds} turns of ${seconds} s (the original's way: one \`check\` in 20 ms)`,
    ['', ...Array.from({ length: rounds }, (_, round) => String(round + 1)), 'median'],
    rates.map((values, index) => [names[index] ?? '', ...values, median(values)]),
  );
}

export function targetsOfTurns({ inFlight, rates }: Turns): Target[] {
  const [bareOne = [], bareTwo = [], original = [], fork = [], prefork = []] = rates;
  const best = median(fork) > median(prefork) ? fork : prefork;
  const share = (of: readonly number[]): number => 100 * median(ratios(best, of));
  return [
    [
      `${inFlight} in flight, in % of bare forks one at a time (in turns)`,
      share(bareOne),
      ' %',
      60,
      'at least',
    ],
    ['  of bare forks two at once', share(bareTwo), ' %', 60, 'at least'],
    [
      `${inFlight} in flight, against the original's way`,
      median(ratios(best, original)),
      ' ×',
      1.8,
      'at least',
    ],
  ];
}
