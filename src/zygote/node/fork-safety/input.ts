/** What the runs of the suite have as their standard input. */
export const INPUT = 'a line of input\n'.repeat(5_000);
