/** A Node whose forks have been proven. */
interface Proof {
  readonly version: string;
  readonly arch: string;
  /** Of the day it was proven. */
  readonly date: string;
  /** Of `npm run soak -- node`, each with the outcome that it should have; the fork-safety suite was passed too. */
  readonly runs: number;
}

export const PROVEN: readonly Proof[] = [
  { version: 'v24.21.0', arch: 'x64', date: '2026-11-28', runs: 100_256 },
  { version: 'v26.10.0', arch: 'x64', date: '2026-11-28', runs: 100_256 },
];

/** The sentence for whoever wants such a Node forked; null where it is proven. */
export function whyNotProven(version: string, arch: string): string | null {
  if (PROVEN.some((proof) => proof.version === version && proof.arch === arch)) return null;
  const proven = PROVEN.map((proof) => `${proof.version} (${proof.arch})`).join(' and ');
  return (
    `Node ${version} (${arch}) is not proven to survive a fork; ${proven} are. ` +
    'Take the `interpreter` out of the pool to run it on the Node that Rocksy brings, say `fork: false` to have a ' +
    'process started for each run, or `fork: unproven` to fork it all the same'
  );
}
