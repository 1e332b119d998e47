// Client libraries of databases, queues, logs and metrics, each tried in warm pools against a real server.
// For `npm run fork-clients` and, those that need nothing to be installed, test/e2e/fork-clients.test.ts.
// Must not know how a zygote does it: what users see is what counts.
export { Trials } from './trial.ts';
export { TRIALS, type Trial } from './trials.ts';
