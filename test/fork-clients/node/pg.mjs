import pg from 'pg';

let pool = new pg.Pool({ connectionString: process.env.PG_URL });
if (process.env.TRY !== 'lazy') await pool.query('SELECT 1'); // connects

const hooks = process.env.TRY === 'hooks';
export const beforeFork = hooks ? () => pool.end() : undefined;
export const afterFork = hooks
  ? () => {
      pool = new pg.Pool({ connectionString: process.env.PG_URL });
    }
  : undefined;

class Try {
  async run({ n }) {
    const { rows } = await pool.query('SELECT $1::integer AS n, pg_sleep(0.02)', [n]);
    return { n: rows[0].n };
  }
}
export const jobs = { Try };
