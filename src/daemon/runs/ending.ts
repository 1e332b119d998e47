import fs from 'node:fs';
import { children, nameOf, ownerOf, signalProcess } from '../../posix/index.ts';

const SIGKILL = 9;

/**
 * Kills what runs left behind whose zygote is dead: such orphans have become children of the keeper. A pool's own are
 * told by its `runs` folder in their environment, which they have from the zygote or from the run itself.
 * @param candidates children of the keeper, as `orphanedChildren` listed them
 * @param keep processes that are no leftovers: zygotes, and main processes of runs that go on
 */
export function killLeftovers(
  candidates: readonly number[],
  runsFolder: string,
  keep: ReadonlySet<number>,
): number {
  let killed = 0;
  for (const pid of candidates) {
    if (keep.has(pid) || !environmentMentions(pid, runsFolder)) continue;
    const name = nameOf(pid);
    const uid = ownerOf(pid);
    if (name !== null && uid !== null && signalProcess(name, SIGKILL, uid)) killed++;
  }
  return killed;
}

export function orphanedChildren(keeperPid: number): number[] {
  return children(keeperPid);
}

function environmentMentions(pid: number, text: string): boolean {
  try {
    return fs.readFileSync(`/proc/${pid}/environ`).includes(text);
  } catch {
    // It has ended meanwhile, or is not ours to look into: not a leftover of a run.
    return false;
  }
}
