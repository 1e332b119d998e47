import { constants } from 'node:os';

type Listener = (...args: unknown[]) => void;

/** Listeners of this process for signals, in order. */
export type SignalListeners = readonly (readonly [signal: string, listener: Listener])[];

/** Every signal has its default action from now on. */
export function takeAway(): SignalListeners {
  const names = process.eventNames().filter((name) => Object.hasOwn(constants.signals, name));
  const listeners = names.flatMap((name) =>
    process.rawListeners(name).map((listener) => [String(name), listener as Listener] as const),
  );
  for (const name of names) process.removeAllListeners(name);
  return listeners;
}

export function putBack(listeners: SignalListeners): void {
  for (const [signal, listener] of listeners) process.on(signal, listener);
}
