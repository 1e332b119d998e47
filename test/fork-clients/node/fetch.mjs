import { Agent, fetch, getGlobalDispatcher, setGlobalDispatcher } from 'undici';

if (process.env.TRY !== 'lazy') {
  await (await fetch(`${process.env.HTTP_URL}/0`)).text(); // its connection is kept
}

const hooks = process.env.TRY === 'hooks';
export const beforeFork = hooks ? () => getGlobalDispatcher().close() : undefined;
export const afterFork = hooks ? () => setGlobalDispatcher(new Agent()) : undefined;

class Try {
  async run({ n }) {
    // Node's own fetch has the same dispatcher.
    const answers = await Promise.all(
      [fetch, globalThis.fetch].map(async (ask) => (await ask(`${process.env.HTTP_URL}/${n}`)).text()),
    );
    if (answers[0] !== answers[1]) throw new Error(answers.join(' and '));
    return { n: Number(answers[0]) };
  }
}
export const jobs = { Try };
