// node main.mjs JOB: prints what the work alone has taken, as JSON. Wall clock, and CPU of all threads.
import { compute } from './compute.mjs';
import { garbage } from './garbage.mjs';

const work = { compute, garbage }[process.argv[2]];
const [wall, cpu] = [performance.now(), process.cpuUsage()];
const result = work();
const { user, system } = process.cpuUsage(cpu);
console.log(JSON.stringify({ wallMs: performance.now() - wall, cpuMs: (user + system) / 1000, result }));
