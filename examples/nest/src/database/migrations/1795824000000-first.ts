import type { MigrationInterface, QueryRunner } from 'typeorm';

export class First1795824000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`CREATE TABLE "invoice" (
      "number" varchar PRIMARY KEY NOT NULL,
      "email" varchar NOT NULL,
      "cents" integer NOT NULL,
      "due" date NOT NULL,
      "paid" boolean NOT NULL DEFAULT (0)
    )`);
    await runner.query(`CREATE TABLE "reminder" (
      "invoice" varchar NOT NULL REFERENCES "invoice" ("number") ON DELETE CASCADE,
      "level" integer NOT NULL,
      "sent_at" datetime NOT NULL DEFAULT (datetime('now')),
      PRIMARY KEY ("invoice", "level")
    )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.dropTable('reminder');
    await runner.dropTable('invoice');
  }
}
