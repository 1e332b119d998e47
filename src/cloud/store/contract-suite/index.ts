// What every store has to do, on whichever database: one suite, run against each of them by the tests around it.
// It must not know which one it has, and asks only through the store's own door.
// For tests; it is not in the package.
export { contractSuite } from './suite.ts';
