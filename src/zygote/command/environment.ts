import { readFileSync } from 'node:fs';
import { CONFIG_VARIABLE } from '../contract.ts';

/** Environment variables, byte for byte: names and values are `latin1` strings, a character for each byte. */
export type ByteEnv = ReadonlyMap<string, string>;

/** The zygote's own environment as every run gets it. `process.env` would lose bytes that are not UTF-8. */
export function inheritedEnv(): ByteEnv {
  const env = new Map<string, string>();
  for (const entry of environBlock().split('\0')) {
    const equals = entry.indexOf('=');
    if (equals > 0) env.set(entry.slice(0, equals), entry.slice(equals + 1));
  }
  env.delete(CONFIG_VARIABLE);
  return env;
}

function environBlock(): string {
  try {
    return readFileSync('/proc/self/environ', 'latin1');
  } catch {
    // EACCES: a `node` with file capabilities is not dumpable, so its /proc files are root's: proc(5).
    const entries = Object.entries(process.env).map(([name, value]) => `${name}=${value ?? ''}`);
    return Buffer.from(entries.join('\0')).toString('latin1');
  }
}
