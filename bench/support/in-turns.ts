/** Something whose rate is measured again and again. */
export interface Contestant {
  readonly name: string;
  /** Per second. */
  rate(): Promise<number> | number;
}

/**
 * The rates of several contestants, round by round, each round one after the other: what a neighbour on the same host
 * takes away for half a minute it takes from all of a round, so ratios within a round hold where rates don't.
 * Returns a row of rates for each contestant.
 */
export async function inTurns(contestants: readonly Contestant[], rounds: number): Promise<number[][]> {
  const rates: number[][] = contestants.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (const [index, contestant] of contestants.entries()) rates[index]?.push(await contestant.rate());
  }
  return rates;
}

/** What one is in parts of another, round by round. */
export function ratios(of: readonly number[], to: readonly number[]): number[] {
  return of.map((rate, round) => rate / (to[round] ?? Number.NaN));
}
