import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity()
export class Invoice {
  @PrimaryColumn()
  number!: string;

  @Column()
  email!: string;

  @Column()
  cents!: number;

  /** As `2026-11-28`. */
  @Column({ type: 'date' })
  due!: string;

  @Column({ default: false })
  paid!: boolean;
}
