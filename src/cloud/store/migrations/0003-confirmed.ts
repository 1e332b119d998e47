import type { MigrationStep } from './step.ts';

/** The incarnation that a host is known to have written down. Of those that are there, at worst the one before the last. */
export const confirmed: MigrationStep = () => [
  `ALTER TABLE hosts ADD COLUMN confirmed bigint NOT NULL DEFAULT 0`,
  `UPDATE hosts SET confirmed = incarnation - 1 WHERE incarnation > 0`,
];
