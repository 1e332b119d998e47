import { Checker, DocumentError, Findings, type KeyPath, readDocument } from '../../document/index.ts';
import type { JobDefinition } from './definition.ts';
import { resolveJob } from './resolve.ts';
import { type JobFile, jobFileSchema, type RawJob } from './schema.ts';

const DEFAULT_PROJECT = 'default';

const checker = new Checker(jobFileSchema, 'docs/jobs.md');

/**
 * The jobs of one file, in its order; `file` is for messages. Throws a DocumentError with everything that is wrong with
 * it, each by its line and key.
 */
export function parseJobs(text: string, file: string): JobDefinition[] {
  const document = readDocument(text);
  if (document.value === undefined) throw new DocumentError(file, document.problems);
  const { violations, sound } = checker.check(document.value);
  const findings = new Findings(file, document, violations);
  const jobs = sound === null ? [] : resolve(sound, findings);
  if (findings.problems.length > 0) throw new DocumentError(file, findings.problems);
  return jobs;
}

/** What is given as data has no lines. */
const DATA = { value: null, problems: [], positionOf: () => ({ line: 0, column: 0 }) };

/** The definition of a run that is no job: what may stand below a name in a job file, as data. Throws a DocumentError. */
export function definitionOf(project: string, raw: unknown): JobDefinition {
  const file = { project, jobs: { run: raw } };
  const { violations, sound } = checker.check(file);
  const findings = new Findings('body', DATA, violations);
  const [definition] = sound === null ? [] : resolve(sound, findings);
  if (findings.problems.length > 0) throw new DocumentError('body', findings.problems);
  if (definition === undefined) throw new Error('a file with one job has one job');
  return definition;
}

function resolve(
  { project = DEFAULT_PROJECT, defaults = {}, jobs }: JobFile,
  findings: Findings,
): JobDefinition[] {
  return Object.entries(jobs ?? {}).map(([name, own]) => {
    const path = (key: keyof RawJob): KeyPath =>
      own[key] === undefined && defaults[key] !== undefined ? ['defaults', key] : ['jobs', name, key];
    return resolveJob(project, name, { ...withoutOther(defaults, own), ...own }, path, findings);
  });
}

/** Of `class` and `argv` a job has one: its own replaces the other one of the defaults, parameters and all. */
function withoutOther(defaults: RawJob, own: RawJob): RawJob {
  const { class: ofClass, params, argv, ...rest } = defaults;
  if (own.argv !== undefined) return rest;
  const withParams = params === undefined ? rest : { ...rest, params };
  if (own.class !== undefined) return withParams;
  return {
    ...withParams,
    ...(ofClass === undefined ? {} : { class: ofClass }),
    ...(argv === undefined ? {} : { argv }),
  };
}
