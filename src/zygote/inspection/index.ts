// What a bootstrap has left in its zygote that a fork would break, as sentences for whoever wrote it.
// For the daemon, which looks from outside, by /proc; a zygote adds in its hello what only it can know.
// Must not know pools or configuration beyond the list of what is allowed.
export { allowed, notAllowed } from './allow.ts';
export { inspect } from './inspection.ts';
