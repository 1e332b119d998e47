import { Checker, DocumentError, Findings, readDocument, readText } from '../../document/index.ts';
import type { Config } from './config.ts';
import { resolveConfig } from './resolve.ts';
import { configSchema } from './schema.ts';
import { realSurroundings, type Surroundings } from './surroundings.ts';

const checker = new Checker(configSchema, 'docs/configuration.md');

/** Reads and checks a configuration file; throws a `DocumentError` that has everything that is wrong with it. */
export function loadConfig(path: string, surroundings: Surroundings = realSurroundings()): Config {
  return parseConfig(readText(path), path, surroundings);
}

/** The same for text that stands, or would stand, in the file `path`. */
export function parseConfig(
  text: string,
  path: string,
  surroundings: Surroundings = realSurroundings(),
): Config {
  const document = readDocument(text);
  if (document.value === undefined) throw new DocumentError(path, document.problems);
  const { violations, sound } = checker.check(document.value);
  const findings = new Findings(path, document, violations);
  const config = sound && resolveConfig(sound, path, poolNames(document.value), surroundings, findings);
  if (config === null || findings.problems.length > 0) throw new DocumentError(path, findings.problems);
  return deepFreeze(config);
}

/** Of all pools, also those that don't fit the schema: naming one of them as the default is no second mistake. */
function poolNames(value: unknown): string[] {
  const pools = typeof value === 'object' && value !== null && 'pools' in value ? value.pools : null;
  return typeof pools === 'object' && pools !== null ? Object.keys(pools) : [];
}

/** Maps can't be frozen, their type says so; a RegExp must not be. */
function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || value instanceof RegExp) return value;
  if (value instanceof Map) {
    for (const each of value.values()) deepFreeze(each);
    return value;
  }
  for (const each of Object.values(value)) deepFreeze(each);
  return Object.freeze(value);
}
