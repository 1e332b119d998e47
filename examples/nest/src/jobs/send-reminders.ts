import { Injectable } from '@nestjs/common';
import type { Context } from 'rocksy/job';
import { Reminders } from '../billing/reminders.js';

/** Reminds of what is overdue on a day (default: today), as often and as many at once as you like. */
@Injectable()
export class SendReminders {
  constructor(private readonly reminders: Reminders) {}

  async run([day = today()]: [day?: string], { progress }: Context): Promise<object> {
    const overdue = await this.reminders.overdue(day);
    let sent = 0;
    for (const [index, invoice] of overdue.entries()) {
      const level = this.reminders.level(invoice, day);
      if (await this.reminders.claim(invoice, level)) {
        sent++;
        console.log(`to ${invoice.email}: invoice ${invoice.number}, reminder ${level}`);
      }
      progress((100 * (index + 1)) / overdue.length, invoice.number);
    }
    return { day, overdue: overdue.length, sent };
  }
}

function today(): string {
  return new Date().toISOString().slice(0, 10);
}
