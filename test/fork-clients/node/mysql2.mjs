import { createPool } from 'mysql2/promise';

const connect = () => createPool({ socketPath: process.env.MYSQL_SOCKET, user: 'try', database: 'try' });
let pool = connect();
if (process.env.TRY !== 'lazy') await pool.query('SELECT 1'); // connects

const hooks = process.env.TRY === 'hooks';
export const beforeFork = hooks ? () => pool.end() : undefined;
export const afterFork = hooks
  ? () => {
      pool = connect();
    }
  : undefined;

class Try {
  async run({ n }) {
    const [rows] = await pool.query('SELECT ? AS n, SLEEP(0.02)', [n]);
    return { n: rows[0].n };
  }
}
export const jobs = { Try };
