// The contract, kept on the other Node whose forks are proven.
import { classPrograms, contractSuite } from '../contract-suite/index.ts';
import { startZygote26 } from './zygote-under-test.ts';

contractSuite({
  name: 'node 26',
  start: startZygote26,
  programs: classPrograms,
  features: { parks: true, tellsItsEnd: true },
});
