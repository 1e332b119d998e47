import { readFileSync } from 'node:fs';
import { CONFIG_VARIABLE, CONTRACT_VERSION, type ZygoteConfig } from '../contract.ts';

/** Takes the configuration out of the environment. Throws with a message for the boot log. */
export function takeConfig(env: NodeJS.ProcessEnv): ZygoteConfig {
  const text = env[CONFIG_VARIABLE];
  delete env[CONFIG_VARIABLE];
  if (text === undefined)
    throw new Error(`${CONFIG_VARIABLE} is not set: rocksyd starts this program, nobody else`);
  const config = JSON.parse(text) as ZygoteConfig;
  if (config.version !== CONTRACT_VERSION) {
    throw new Error(
      `the daemon speaks version ${config.version} of the zygote contract, this zygote ${CONTRACT_VERSION}`,
    );
  }
  return config;
}

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
