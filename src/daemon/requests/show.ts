import type { Progress, RunView } from '../../wire/index.ts';
import type { Mask } from '../logs/index.ts';
import { type Run, viewOf } from '../runs/index.ts';

/** A run as clients may see it: what it says of itself, and what it was asked to do, may hold a secret, as its log may. */
export function show(run: Run, mask: Mask): RunView {
  return masked(viewOf(run), mask);
}

export function masked(view: RunView, mask: Mask): RunView {
  if (mask.reach === 0) return view;
  const { argv, error, progress, result } = view;
  return {
    ...view,
    argv: argv === null ? null : argv.map((argument) => mask.text(argument)),
    error: error === null ? null : mask.text(error),
    progress: progress === null ? null : maskedProgress(progress, mask),
    result: mask.json(result),
  };
}

export function maskedProgress(progress: Progress, mask: Mask): Progress {
  return { ...progress, text: mask.text(progress.text) };
}
