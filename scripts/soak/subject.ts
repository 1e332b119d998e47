import type { JsonValue } from '../../src/wire/index.ts';

/** A runtime whose pools are soaked. */
export interface Subject {
  /** What stands in the pool beside its user and `prefork`. */
  readonly pool: string;
  /** Beside the configuration. */
  readonly files: { readonly [path: string]: string };
  /** What runs in turn: class, parameters, the exit code that it must have. */
  readonly jobs: readonly Job[];
  /** Garbage that its zygote lets pile up before it collects it. */
  readonly garbageMib: number;
  /** What the kernel calls its processes when they die. */
  readonly program: string;
}

export type Job = readonly [name: string, params: JsonValue, code: number];
