import v8 from 'node:v8';

/**
 * V8 optimizes a function in two steps: it marks one that has become hot, and compiles it when it is called the next time.
 * One that the zygote has marked and calls no more would be compiled by each child anew, of which each takes up to 0.8 ms
 * (TieringManager in src/execution/tiering-manager.cc). So a zygote that serves marks nothing, and a child does again. By
 * filters, which nobody else sets, unlike the flags that switch a compiler off.
 */
export function optimize(which: 'all' | 'nothing'): void {
  const filter = which === 'all' ? '*' : '-*';
  for (const compiler of ['maglev', 'turbo']) v8.setFlagsFromString(`--${compiler}-filter=${filter}`);
}
