import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { collapsePages, releaseAddresses, reserveAddresses } from '../../posix/index.ts';
import { around, mapped, mappings, type Range } from './address-space.ts';

/** Below this V8 draws the addresses that it asks for: GetRandomMmapAddr in src/base/platform/platform-posix.cc, of x64. */
const DRAWN_BELOW = 2 ** 46;
/** Left free, for whatever has to lie low. */
const LOW = 2 ** 36;
/** Both of x64. */
const HUGE_PAGE = 2 ** 21;
const PAGE = 4096;
/** Of /proc/PID/pagemap. */
const ENTRY_BYTES = 8;
const MOSTLY = 0.75;

/**
 * From now on V8's heap grows in one piece, until what is returned has been called.
 *
 * V8 asks for every 256 KiB of it at an address drawn at random, where each is alone with page tables of its own on three
 * levels, and too small for a huge page: a fork has to copy 1.9 MiB of tables for a heap of 47 MiB. While all that it could
 * draw is taken, the kernel places them side by side. Not on other processors than x64, whose addresses are others, nor
 * under a limit of addresses (RLIMIT_AS), which this would use up.
 */
export function placeTogether(): () => void {
  const free = process.arch === 'x64' && !isLimited() ? freeRanges() : [];
  const taken = free.filter(({ address, bytes }) => reserveAddresses(address, bytes));
  return () => {
    for (const { address, bytes } of taken) releaseAddresses(address, bytes);
  };
}

/** Of addresses: RLIMIT_AS, as proc_pid_limits(5) has it. */
function isLimited(): boolean {
  return !/^Max address space +unlimited /m.test(textOf('/proc/self/limits'));
}

function freeRanges(): Range[] {
  return around(mappings(textOf('/proc/self/maps')), LOW, DRAWN_BELOW);
}

/** Nothing where it can't be read (EMFILE): forks will take longer, which is no reason to end a zygote that serves. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return '';
  }
}

/**
 * Makes huge pages of this process's memory, of which a fork copies one entry for 2 MiB; to be called before the first one.
 * Only where most of one is memory already: what is missing becomes memory too.
 */
export function useHugePages(): void {
  if (process.arch !== 'x64') return;
  let pagemap: number;
  try {
    pagemap = openSync('/proc/self/pagemap', 'r');
  } catch {
    return; // a kernel without it, or a sandbox: forks take longer
  }
  try {
    for (const piece of pieces()) {
      const entries = Buffer.alloc((HUGE_PAGE / PAGE) * ENTRY_BYTES);
      readSync(pagemap, entries, 0, entries.length, (piece / PAGE) * ENTRY_BYTES);
      if (presentIn(entries) > (MOSTLY * HUGE_PAGE) / PAGE) collapsePages(piece, HUGE_PAGE);
    }
  } finally {
    closeSync(pagemap);
  }
}

/** Where a huge page would fit in. */
function pieces(): number[] {
  const memory = mapped().filter(({ access, isAnonymous }) => isAnonymous && access === 'rw-p');
  return memory.flatMap(({ address, bytes }) => {
    const first = Math.ceil(address / HUGE_PAGE) * HUGE_PAGE;
    const count = Math.max(0, Math.floor((address + bytes - first) / HUGE_PAGE));
    return Array.from({ length: count }, (_, index) => first + index * HUGE_PAGE);
  });
}

/** How many of these pages are memory: the highest bit of each entry, proc_pid_pagemap(5). */
function presentIn(entries: Buffer): number {
  let present = 0;
  for (let last = ENTRY_BYTES - 1; last < entries.length; last += ENTRY_BYTES) {
    present += (entries[last] ?? 0) >> 7;
  }
  return present;
}
