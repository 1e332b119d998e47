/** A schedule that can't be followed; the message says what is wrong with it, for whoever wrote it. */
export class ScheduleError extends Error {
  override readonly name = 'ScheduleError';
}
