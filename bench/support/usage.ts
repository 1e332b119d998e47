import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** What processes have used so far. */
export interface Usage {
  readonly cpuMs: number;
  readonly faults: number;
}

/** USER_HZ, which is 100 on every architecture that Rocksy runs on (proc(5), sysconf(_SC_CLK_TCK)). */
const MS_PER_TICK = 10;

interface Entry extends Usage {
  readonly pid: number;
  readonly ppid: number;
  readonly reaped: Usage;
}

/** /proc/PID/stat, fields 4, 10 to 17: what a process used itself, and what the children did that it has reaped. */
function entryOf(pid: string): Entry | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null; // it has ended meanwhile
  }
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [, ppid = 0, , , , , , minflt = 0, cminflt = 0, , , utime = 0, stime = 0, cutime = 0, cstime = 0] =
    fields;
  return {
    pid: Number(pid),
    ppid,
    cpuMs: (utime + stime) * MS_PER_TICK,
    faults: minflt,
    reaped: { cpuMs: (cutime + cstime) * MS_PER_TICK, faults: cminflt },
  };
}

function sum(usages: readonly Usage[]): Usage {
  return {
    cpuMs: usages.reduce((total, { cpuMs }) => total + cpuMs, 0),
    faults: usages.reduce((total, { faults }) => total + faults, 0),
  };
}

/** A process, all that descend from it, and all that these have reaped. */
export function usageOfTree(root: number): Usage {
  const entries = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => entryOf(name) ?? []);
  const tree = new Set([root]);
  for (let before = 0; before !== tree.size; ) {
    before = tree.size;
    for (const { pid, ppid } of entries) if (tree.has(ppid)) tree.add(pid);
  }
  return sum(entries.filter(({ pid }) => tree.has(pid)).flatMap((entry) => [entry, entry.reaped]));
}

/** The children of this process that have ended. */
export function usageOfOwnChildren(): Usage {
  return entryOf(String(process.pid))?.reaped ?? { cpuMs: 0, faults: 0 };
}

export function difference(after: Usage, before: Usage): Usage {
  return { cpuMs: after.cpuMs - before.cpuMs, faults: after.faults - before.faults };
}

/** Memory of a process that it shares with nobody, in bytes: what one more of its kind costs. */
export function privateBytes(pid: number): number {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  let kib = 0;
  for (const [, size] of text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB$/gm)) kib += Number(size);
  return kib * 1024;
}

/** Resident memory of a process in bytes. */
export function residentBytes(pid: number): number {
  return statusBytes(pid, 'VmRSS');
}

/** The most that was resident since the process began, or since `forgetPeak`. */
export function peakBytes(pid: number): number {
  return statusBytes(pid, 'VmHWM');
}

/** proc(5), /proc/PID/clear_refs: 5 resets the peak to what is resident now. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

function statusBytes(pid: number, field: string): number {
  const text = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)?.[1]) * 1024;
}
