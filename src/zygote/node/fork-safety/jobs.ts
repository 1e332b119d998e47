// Makes a bootstrap's `jobs` of workloads: the contract by which src/zygote/node/trials asks for them.
import type { Workload } from './workload.ts';

/** What is told of a workload to whoever tries it. */
export type Listed = Pick<Workload, 'name' | 'exitCode'>;

export function jobsOf(workloads: readonly Workload[]): Record<string, new () => object> {
  return {
    Workloads: class {
      run(): Listed[] {
        return workloads.map(({ name, exitCode }) => ({ name, exitCode }));
      }
    },
    Workload: class {
      async run([name]: [string]): Promise<void> {
        const found = workloads.find((each) => each.name === name);
        if (found === undefined) throw new Error(`there is no workload ${name}`);
        await found.run();
      }
    },
  };
}
