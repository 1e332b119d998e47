import type { Window } from '../../test/support/load/probes.ts';
import { median, round } from '../support/statistics.ts';
import { printTable } from '../support/table.ts';
import { REQUESTS_PER_SECOND, type Round } from './rounds.ts';

/** What became of one way of replacing a server, with so many connections. */
export interface Result {
  readonly connections: number;
  readonly name: string;
  readonly rounds: readonly Round[];
  /** Why there are no rounds. */
  readonly problem: string | null;
}

/** What rocksyd's own takeover is held to, on a quiet machine with two cores: medians in milliseconds. */
const TARGETS = [
  { connections: 1000, longestMs: 15, freezeMs: 5 },
  { connections: 10_000, longestMs: 50, freezeMs: 20 },
];

const LEGEND = [
  `Replaced while clients that stay connected ask ${REQUESTS_PER_SECOND} times a second altogether. Times in ms, medians; counts are means.`,
  'longest: that any client waited, from its request or the cut of its connection to the next answer',
  'outside: the same in a time as long without a replacement. own: that the measuring process itself was held up',
  'cut: connections that the server closed. lost: requests on them without an answer. refused: attempts to connect again',
  'gone: until the old process was gone and the new one there, 5000 at most',
  'All clients are one process: of 10,000 that are cut the last waits until it has connected all others again.',
];

/** How long clients waited and what they lost, for all servers. */
export function printWaits(results: readonly Result[]): void {
  printTable(
    LEGEND.join('\n'),
    [
      'clients',
      '',
      'n',
      'longest',
      'most',
      'outside',
      'most',
      'ratio',
      'own',
      'cut',
      '%',
      'lost',
      'refused',
      'gone',
    ],
    results.map(({ connections, name, rounds, problem }) => {
      if (problem !== null) return [String(connections), `${name}: ${problem}`];
      const during = rounds.map((one) => one.during.longestMs);
      const outside = rounds.map((one) => one.outside.longestMs);
      const cut = perRound(rounds, 'cut');
      return [
        String(connections),
        name,
        String(rounds.length),
        median(during),
        Math.max(...during),
        median(outside),
        Math.max(...outside),
        median(during) / median(outside),
        median(rounds.map((one) => one.during.ownDelayMs)),
        cut,
        (100 * cut) / connections,
        perRound(rounds, 'lost'),
        perRound(rounds, 'refused'),
        median(rounds.map(({ tookMs }) => tookMs)),
      ];
    }),
  );
}

/** Where the time went, where the server tells it. */
export function printTold(results: readonly Result[]): void {
  const telling = results.filter(({ rounds }) => rounds.some(({ told }) => Object.keys(told).length > 0));
  const names = [
    ...new Set(telling.flatMap(({ rounds }) => rounds.flatMap(({ told }) => Object.keys(told)))),
  ];
  if (names.length === 0) return;
  printTable(
    'What the server tells: median (most)',
    ['clients', '', ...names],
    telling.map(({ connections, name: server, rounds }) => [
      String(connections),
      server,
      ...names.map((name) => {
        const values = toldOf(rounds, name);
        return `${round(median(values))} (${round(Math.max(...values))})`;
      }),
    ]),
  );
}

/** What a way of replacing is held to. */
export function printTargets(results: readonly Result[], name: string): void {
  const measured = results.filter((result) => result.name === name && result.rounds.length > 0);
  const rows = measured.flatMap(({ connections, rounds }) => {
    const target = TARGETS.find((one) => one.connections === connections);
    const longest = median(rounds.map(({ during }) => during.longestMs));
    const freeze = median(toldOf(rounds, 'freeze_ms'));
    return [
      row(connections, 'connections cut', perRound(rounds, 'cut'), 0),
      row(connections, 'requests lost', perRound(rounds, 'lost'), 0),
      row(connections, 'wrong answers', perRound(rounds, 'wrong'), 0),
      ...(target === undefined ? [] : [row(connections, 'longest, ms', longest, target.longestMs)]),
      ...(target === undefined ? [] : [row(connections, 'freeze, ms', freeze, target.freezeMs)]),
    ];
  });
  if (rows.length > 0) printTable(`${name} is held to`, ['clients', '', 'measured', 'at most', ''], rows);
}

function row(
  connections: number,
  what: string,
  measured: number,
  most: number,
): readonly (string | number)[] {
  return [String(connections), what, measured, most, measured <= most ? 'yes' : 'no'];
}

function perRound(rounds: readonly Round[], what: keyof Window): number {
  return rounds.reduce((sum, { during }) => sum + during[what], 0) / rounds.length;
}

function toldOf(rounds: readonly Round[], name: string): number[] {
  return rounds.map(({ told }) => told[name] ?? Number.NaN);
}
