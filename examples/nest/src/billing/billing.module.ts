import { Module } from '@nestjs/common';
import { TypeOrmModule } from '@nestjs/typeorm';
import { Invoice } from './invoice.entity.js';
import { InvoiceFile } from './invoice-file.js';
import { Reminder } from './reminder.entity.js';
import { Reminders } from './reminders.js';

@Module({
  imports: [TypeOrmModule.forFeature([Invoice, Reminder])],
  providers: [InvoiceFile, Reminders],
  exports: [TypeOrmModule, InvoiceFile, Reminders],
})
export class BillingModule {}
