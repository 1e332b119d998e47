import { syncBuiltinESMExports } from 'node:module';
import { getpid } from '../../../posix/index.ts';

/** process.pid is a plain value that Node writes once, at its start (PatchProcessObject in src/node_process_object.cc). */
export function repairPid(): void {
  Object.defineProperty(process, 'pid', {
    value: getpid(),
    configurable: true,
    enumerable: true,
    writable: false,
  });
  syncBuiltinESMExports(); // import { pid } from 'node:process'
}
