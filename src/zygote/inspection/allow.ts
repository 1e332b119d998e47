import type { Finding } from '../contract.ts';

/** What is left of the findings after the pool's `allow` list. An entry ending in `*` allows all that begin so. */
export function notAllowed(findings: readonly Finding[], allow: readonly string[]): Finding[] {
  const isAllowed = (name: string): boolean =>
    allow.some((entry) => (entry.endsWith('*') ? name.startsWith(entry.slice(0, -1)) : name === entry));
  return findings.filter(({ name }) => !isAllowed(name));
}

/** The line of configuration that allows these. */
export function allowed(findings: readonly Finding[]): string {
  const names = new Set(findings.map(({ name }) => name));
  return `allow: [${[...names].map(yaml).join(', ')}]`;
}

/** As an element of a list in brackets: what would mean something there, or end it, is quoted. */
function yaml(name: string): string {
  return /^[\w./:@~-]+$/.test(name) && !name.endsWith(':') ? name : JSON.stringify(name);
}
