import { contractSuite } from '../contract-suite/index.ts';
import { ZygoteUnderTest } from './zygote-under-test.ts';

const shell = (script: string, ...args: string[]): { argv: string[] } => ({
  argv: ['sh', '-c', script, 'sh', ...args],
});

contractSuite({
  name: 'command',
  start: (options) => new ZygoteUnderTest(options),
  programs: {
    hello: { argv: ['echo', 'hello'] },
    input: { argv: ['cat'] },
    folder: { argv: ['pwd'] },
    descriptors: shell('for descriptor in /proc/$$/fd/*; do readlink "$descriptor"; done'),
    wait: shell('echo ready; exec sleep 100000'),
    stubborn: shell('trap "" TERM; echo ready; exec sleep 100000'),
    tell: shell(
      'echo "progress 40 half way" >> "$ROCKSY_RUN_FILE"; echo "result {\\"n\\":1}" >> "$ROCKSY_RUN_FILE"',
    ),
    leave: shell('trap "" TERM; sleep 100000 & echo $!; (setsid sleep 100000 & echo $!)'),
    exit: (code) => shell(`exit ${code}`),
    variable: (name) => shell(`printf "%s\\n" "\${${name}}"`),
    // The code of a command that outlives its zygote is in its run file only when the command itself notes it there.
    gate: (path) =>
      shell(
        'echo ready; until [ -e "$1" ]; do sleep 0.01; done; echo done; echo exit 0 >> "$ROCKSY_RUN_FILE"',
        path,
      ),
  },
  features: { parks: false, tellsItsEnd: false },
});
