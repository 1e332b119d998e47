import { join } from 'node:path';
import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import type { Context } from 'rocksy/job';
import type { Repository } from 'typeorm';
import { Invoice } from '../billing/invoice.entity.js';
import { InvoiceFile } from '../billing/invoice-file.js';

const EXAMPLE = join(import.meta.dirname, '../../data/invoices.csv');

/** Reads a file of invoices; without a name the one that comes with the example. */
@Injectable()
export class ImportInvoices {
  constructor(
    private readonly file: InvoiceFile,
    @InjectRepository(Invoice) private readonly invoices: Repository<Invoice>,
  ) {}

  async run([file = EXAMPLE]: [file?: string], { progress }: Context): Promise<object> {
    const rows = await this.file.read(file);
    const counts = { created: 0, known: 0, rejected: 0 };
    for (const [index, row] of rows.entries()) {
      const problem = this.file.problem(row);
      if (problem !== null) {
        counts.rejected++;
        console.log(`${row.number}: ${problem}`);
      } else if (await this.invoices.existsBy({ number: row.number })) {
        counts.known++;
      } else {
        await this.invoices.insert(row);
        counts.created++;
      }
      progress((100 * (index + 1)) / rows.length, `${index + 1} of ${rows.length}`);
    }
    return counts;
  }
}
