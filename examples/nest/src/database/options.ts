import { join } from 'node:path';
import type { DataSourceOptions } from 'typeorm';
import { Invoice } from '../billing/invoice.entity.js';
import { Reminder } from '../billing/reminder.entity.js';
import { First1795824000000 } from './migrations/1795824000000-first.js';
import { Sqlite } from './sqlite.js';

export const database: DataSourceOptions = {
  type: 'better-sqlite3',
  driver: Sqlite,
  database: process.env.BILLING_DATABASE ?? join(import.meta.dirname, '../../var/billing.sqlite'),
  timeout: 30_000,
  entities: [Invoice, Reminder],
  migrations: [First1795824000000],
};
