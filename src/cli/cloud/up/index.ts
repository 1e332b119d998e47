// `rocksy up`: the cloud and one rocksyd as children, a folder to begin with, and what ends as it ends.
// For the command line.
// It must not do what the two do by themselves: it starts, asks over the API, and stops.
export { up } from './up.ts';
