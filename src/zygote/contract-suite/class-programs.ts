import type { JsonValue } from '../../wire/index.ts';
import type { StartSpec } from '../contract.ts';
import type { Programs } from './runtime.ts';

/** What starts a class of the fixtures' bootstrap. */
export function job(name: string, params: JsonValue = {}): StartSpec {
  return { class: name, params };
}

/** The programs of a runtime of classes, whose fixtures have them by these names. */
export const classPrograms: Programs = {
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
};
