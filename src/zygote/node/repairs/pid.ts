import { syncBuiltinESMExports } from 'node:module';
import { getpid } from '../../../posix/index.ts';

const MODULE = 'NativeModule process';

/** process.pid is a plain value that Node writes once, at its start (PatchProcessObject in src/node_process_object.cc). */
export function repairPid(): void {
  Object.defineProperty(process, 'pid', {
    value: getpid(),
    configurable: true,
    enumerable: true,
    writable: false,
  });
  if (isImported()) syncBuiltinESMExports(); // import { pid } from 'node:process'
}

/** Most programs take the global. To bring the exports of all modules up to date takes as long as a fifth of a fork. */
function isImported(): boolean {
  const { moduleLoadList = [MODULE] } = process as { readonly moduleLoadList?: readonly string[] };
  return moduleLoadList.includes(MODULE);
}
