import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Site } from '../support/site.ts';
import { type Bare, type BareOptions, parseBare } from './bare.ts';

const SOURCE = path.resolve(import.meta.dirname, 'fork.c');

export interface Mapping {
  readonly touchedKib: number;
  /** Of what is touched. */
  readonly hugeKib: number;
}

/** What a fork of this process has to copy: its mappings, and how much of each is its own memory (proc(5), smaps). */
export function mappingsOf(pid: number): Mapping[] {
  const entries = readFileSync(`/proc/${pid}/smaps`, 'latin1').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  return entries.map((entry) => ({
    touchedKib: kib(entry, 'Anonymous'),
    hugeKib: kib(entry, 'AnonHugePages'),
  }));
}

function kib(entry: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(entry)?.[1] ?? 0);
}

/** "300 mappings, 61 MiB touched, 8 of them in huge pages" */
export function describeMappings(mappings: readonly Mapping[]): string {
  const mib = (of: (mapping: Mapping) => number): number =>
    Math.round(mappings.reduce((sum, mapping) => sum + of(mapping), 0) / 1024);
  const huge = mib(({ hugeKib }) => hugeKib);
  return `${mappings.length} mappings, ${mib(({ touchedKib }) => touchedKib)} MiB touched, ${huge} of them in huge pages`;
}

/** A C program with as much memory in as many mappings. */
export class BareC {
  readonly #program: string;

  constructor(site: Site) {
    this.#program = path.join(site.forUs(), 'fork');
    execFileSync('cc', ['-O2', '-o', this.#program, SOURCE], { stdio: 'inherit' });
  }

  fork(mappings: readonly Mapping[], { seconds, atOnce, hugePages }: BareOptions): Bare {
    const lines = mappings.map(({ touchedKib, hugeKib }) => `${touchedKib} ${hugePages ? hugeKib : 0}\n`);
    const text = execFileSync(this.#program, [String(seconds), String(atOnce)], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
      input: lines.join(''),
    });
    return parseBare(text);
  }
}
