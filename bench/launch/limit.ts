import type { Site } from '../support/site.ts';
import { BareC, describeMappings, mappingsOf } from '../ways/bare-c.ts';
import type { Application } from './application.ts';

/** A C program with as much memory and as many mappings as the zygote that forks on request. */
export function limitInC(site: Site): Application['limit'] {
  const bare = new BareC(site);
  return async (fork) => {
    const mappings = mappingsOf(await fork.zygotePid());
    return {
      name: `a C program with ${describeMappings(mappings)}`,
      fork: (options) => bare.fork(mappings, options),
    };
  };
}
