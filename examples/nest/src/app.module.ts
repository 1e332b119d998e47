import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { BillingModule } from './billing/billing.module.js';
import { database } from './database/options.js';
import { ImportInvoices } from './jobs/import-invoices.js';
import { Migrate } from './jobs/migrate.js';
import { SendReminders } from './jobs/send-reminders.js';

@Module({
  imports: [TypeOrmModule.forRoot(database), BillingModule],
  providers: [Migrate, ImportInvoices, SendReminders],
})
export class AppModule {}
