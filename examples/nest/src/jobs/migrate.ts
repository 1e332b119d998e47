import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';

/** Brings the database to the present schema. */
@Injectable()
export class Migrate {
  constructor(private readonly dataSource: DataSource) {}

  async run(): Promise<{ applied: string[] }> {
    const migrations = await this.dataSource.runMigrations();
    return { applied: migrations.map(({ name }) => name) };
  }
}
