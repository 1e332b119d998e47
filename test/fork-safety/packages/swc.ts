// A compiler in Rust, in the main thread and in others.
import assert from 'node:assert/strict';
import swc from '@swc/core';
import { workload } from '../../../src/zygote/node/fork-safety/index.ts';
import { packageJobs } from '../bootstrap.ts';

export const jobs = await packageJobs([
  workload('@swc/core: transform and minify', async () => {
    const options = { jsc: { parser: { syntax: 'typescript' }, target: 'es2022' } } as const;
    const sources = Array.from(
      { length: 20 },
      (_, index) => `export const value${index}: number = ${index};`,
    );
    const all = await Promise.all(sources.map((source) => swc.transform(source, options)));
    assert.deepEqual(
      all.map(({ code }) => code),
      sources.map((source) => `${source.replace(': number', '')}\n`),
    );
    assert.equal(swc.transformSync('let a: string', options).code, 'let a;\n');
    const { code } = await swc.minify('function add(first, second) { return first + second }', {
      mangle: true,
    });
    assert.equal(code, 'function add(n,d){return n+d}');
  }),
]);
