import { readFile } from 'node:fs/promises';
import { Injectable } from '@nestjs/common';

const HEADER = 'number,email,cents,due';

export interface Row {
  readonly number: string;
  readonly email: string;
  readonly cents: number;
  readonly due: string;
}

/** Invoices as another system exports them. */
@Injectable()
export class InvoiceFile {
  async read(file: string): Promise<Row[]> {
    const [header, ...lines] = (await readFile(file, 'utf8')).trimEnd().split('\n');
    if (header !== HEADER) throw new Error(`${file}: expected the columns ${HEADER}, found ${header}`);
    return lines.map((line) => {
      const [number = '', email = '', cents = '', due = ''] = line.split(',');
      return { number, email, cents: Number(cents), due };
    });
  }

  /** What is wrong with a row; null: nothing. */
  problem({ email, cents, due }: Row): string | null {
    if (!/^[^@\s]+@[^@\s]+$/.test(email)) return `${email} is no address`;
    if (!Number.isInteger(cents) || cents <= 0) return 'no amount';
    if (Number.isNaN(Date.parse(due))) return `${due} is no day`;
    return null;
  }
}
