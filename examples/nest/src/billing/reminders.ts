import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { LessThan, QueryFailedError, type Repository } from 'typeorm';
import { Invoice } from './invoice.entity.js';
import { Reminder } from './reminder.entity.js';

const DAYS_TO_NEXT_LEVEL = 14;
const HIGHEST_LEVEL = 3;
const DAY_MS = 86_400_000;

/** Who is reminded of what, and how sternly. */
@Injectable()
export class Reminders {
  constructor(
    @InjectRepository(Invoice) private readonly invoices: Repository<Invoice>,
    @InjectRepository(Reminder) private readonly reminders: Repository<Reminder>,
  ) {}

  async overdue(day: string): Promise<Invoice[]> {
    return await this.invoices.find({ where: { paid: false, due: LessThan(day) }, order: { number: 'ASC' } });
  }

  level({ due }: Invoice, day: string): number {
    const days = (Date.parse(day) - Date.parse(due)) / DAY_MS;
    return Math.min(HIGHEST_LEVEL, 1 + Math.floor(days / DAYS_TO_NEXT_LEVEL));
  }

  /** Writes down that this reminder is sent. `false`: it was before, or another run is faster. */
  async claim({ number }: Invoice, level: number): Promise<boolean> {
    try {
      await this.reminders.insert({ invoiceNumber: number, level });
      return true;
    } catch (error) {
      if (error instanceof QueryFailedError && /UNIQUE constraint failed/.test(error.message)) return false;
      throw error;
    }
  }
}
