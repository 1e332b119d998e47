// What a pool loads once and every run inherits: NestJS, this application's container, its services and jobs. It leaves
// nothing open that children would share (database/sqlite.ts).

import 'reflect-metadata';
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';
import { ImportInvoices } from './jobs/import-invoices.js';
import { Migrate } from './jobs/migrate.js';
import { SendReminders } from './jobs/send-reminders.js';

const app = await NestFactory.createApplicationContext(AppModule, { logger: ['error', 'warn'] });

/** Rocksy constructs a job without arguments. Here the container does, with all that it asks for. */
const fromContainer = (Job: Type) =>
  class {
    constructor() {
      // biome-ignore lint/correctness/noConstructorReturn: the object that `new` shall give
      return app.get(Job);
    }
  };

export const jobs = Object.fromEntries(
  [Migrate, ImportInvoices, SendReminders].map((Job) => [Job.name, fromContainer(Job)]),
);
