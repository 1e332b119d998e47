// The contract, kept by processes that are started rather than forked.
import { classPrograms, contractSuite } from '../../contract-suite/index.ts';
import { startWithoutFork } from '../zygote-under-test.ts';

contractSuite({
  name: 'node, fork: false',
  start: startWithoutFork,
  programs: classPrograms,
  features: { parks: true, tellsItsEnd: true },
});
