// Writes what is made of the schemas: schemas/jobs.json (what editors know job files by), schemas/openapi.json, and the table
// of operations in docs/api.md. `npm run schemas`; tests hold that they are in step with the code.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openApi, operationTable, withTable } from '../src/api/index.ts';
import { jobFileSchema } from '../src/cloud/jobs/index.ts';

const root = join(import.meta.dirname, '..');
const json = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;
writeFileSync(join(root, 'schemas/jobs.json'), json(jobFileSchema));
writeFileSync(join(root, 'schemas/openapi.json'), json(openApi('1')));
const page = join(root, 'docs/api.md');
writeFileSync(page, withTable(readFileSync(page, 'utf8'), operationTable()));
