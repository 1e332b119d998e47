// Moving in: what other schedulers are written in becomes job files, line by line, and what cron ran is compared.
// It must not know what is done with a job file, and reads nothing from the disk.
// Nothing is left out in silence: what can't be made is said, with the reason.
export { type CronLogOptions, type CronStart, readCronLog } from './cron-log.ts';
export { importCronicle } from './cronicle.ts';
export type { CronicleOptions } from './cronicle-event.ts';
export { type CronJobOptions, importCronJobs } from './cronjob.ts';
export { type CrontabOptions, importCrontab } from './crontab.ts';
export { type Imported, type ImportedLine, type RenderOptions, renderJobs } from './imported.ts';
export { JobNames } from './job-names.ts';
export {
  type Comparison,
  commandOf,
  compareWithCron,
  normalCommand,
  type Period,
  type Planned,
  type Ran,
} from './report.ts';
