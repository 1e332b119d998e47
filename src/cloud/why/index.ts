// Why a job ran or did not, and what a run waits for: from facts to sentences. Pure.
// For the API. It must not fetch anything.
// It says nothing that is not in the facts.
export { explain, type Facts, type RunFacts } from './why.ts';
