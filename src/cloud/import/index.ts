// Moving in: what other schedulers are written in becomes job files, and each line says what was made of it.
// It must not know what is done with a job file, and reads nothing from the disk.
// Nothing is left out in silence: what can't be made is said, with the reason.
export { type CronJobOptions, importCronJobs } from './cronjob.ts';
export { type CrontabOptions, importCrontab } from './crontab.ts';
export { type Imported, type ImportedLine, renderJobs } from './imported.ts';
