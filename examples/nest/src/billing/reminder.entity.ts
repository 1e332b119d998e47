import { CreateDateColumn, Entity, JoinColumn, ManyToOne, PrimaryColumn } from 'typeorm';
import { Invoice } from './invoice.entity.js';

/** One mail about one invoice: each level is sent once. */
@Entity()
export class Reminder {
  @PrimaryColumn({ name: 'invoice' })
  invoiceNumber!: string;

  @PrimaryColumn()
  level!: number;

  @CreateDateColumn({ name: 'sent_at' })
  sentAt!: Date;

  @ManyToOne(() => Invoice, { onDelete: 'CASCADE' })
  @JoinColumn({ name: 'invoice' })
  invoice!: Invoice;
}
