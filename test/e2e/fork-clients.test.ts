// The client libraries of docs/fork-safety.md that need nothing to be installed; `npm run fork-clients` tries all of them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TRIALS, Trials } from '../fork-clients/index.ts';

const CHEAP = TRIALS.filter(({ isCheap }) => isCheap);
const RUNS = 8;

let trials: Trials;

before(async () => {
  trials = await Trials.start(CHEAP, RUNS);
});

after(async () => {
  await trials[Symbol.asyncDispose]();
});

for (const trial of CHEAP) {
  test(`${trial.runtime}/${trial.file}: left open it is refused, ${trial.right.join(' or ')} it works in parallel runs`, async () => {
    const { problems } = await trials.run(trial);
    assert.deepEqual(problems, []);
  });
}
