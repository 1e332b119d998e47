import type { JsonValue } from '../../wire/index.ts';
import type { StartSpec } from '../contract.ts';
import { contractSuite } from '../contract-suite/index.ts';
import { startZygote } from './zygote-under-test.ts';

const job = (name: string, params: { [name: string]: JsonValue } = {}): StartSpec => ({
  class: name,
  params,
});

contractSuite({
  name: 'node',
  start: startZygote,
  programs: {
    hello: job('Hello'),
    input: job('Input'),
    folder: job('Folder'),
    descriptors: job('Descriptors'),
    wait: job('Wait'),
    stubborn: job('Wait', { stubborn: true }),
    tell: job('Tell'),
    leave: job('Leave'),
    exit: (code) => job('ExitWith', { code }),
    variable: (name) => job('Variable', { name }),
    gate: (path) => job('Gate', { path }),
  },
  features: { parks: true },
});
