import 'reflect-metadata';
import { DataSource, EntitySchema } from 'typeorm';

const Customer = new EntitySchema({
  name: 'Customer',
  columns: { id: { type: Number, primary: true }, name: { type: String } },
});
const database = new DataSource({
  type: 'postgres',
  url: process.env.PG_URL,
  entities: [Customer],
});
if (process.env.TRY !== 'lazy') {
  await database.initialize(); // connects
  await database.query('CREATE TABLE IF NOT EXISTS customer (id integer PRIMARY KEY, name text)');
}

const hooks = process.env.TRY === 'hooks';
export const beforeFork = hooks ? () => database.destroy() : undefined;
export const afterFork = hooks ? () => database.initialize() : undefined;

class Try {
  async run({ n }) {
    if (!database.isInitialized) await database.initialize();
    const customers = database.getRepository(Customer);
    await customers.save({ id: n, name: `customer ${n}` });
    const { id } = await customers.findOneByOrFail({ name: `customer ${n}` });
    return { n: id };
  }
}
export const jobs = { Try };
