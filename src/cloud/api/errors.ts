import type { Problem } from '../../api/index.ts';
import { DocumentError, formatProblem } from '../../document/index.ts';
import { TakeoverRefused } from '../../takeover/index.ts';
import { HostRefusal, QueueFull } from '../dispatch/index.ts';
import { LinkLost } from '../hosts/index.ts';
import { StoreError, type StoreErrorCode } from '../store/index.ts';

/** Why a request is refused: a stable code for programs, a sentence for people, and where there is one the remedy. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  readonly code: string;
  readonly detail: string | undefined;
  readonly problems: Problem['problems'];

  constructor(
    status: number,
    code: string,
    message: string,
    more: { readonly detail?: string; readonly problems?: Problem['problems'] } = {},
  ) {
    super(message);
    this.status = status;
    this.code = code;
    this.detail = more.detail;
    this.problems = more.problems;
  }
}

export function notFound(what: string): ApiError {
  return new ApiError(404, 'not_found', `There is no ${what}`);
}

const STATUS: Partial<Record<StoreErrorCode, number>> = {
  bad_cursor: 400,
  join_refused: 403,
  stale_host: 409,
  lease_lost: 503,
};

/** As a refusal; null: a defect, or the store is away. */
export function asApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error;
  if (error instanceof DocumentError) return ofDocuments([error]);
  if (error instanceof QueueFull)
    return new ApiError(503, 'queue_full', error.message, { detail: 'try again when some have begun' });
  if (error instanceof LinkLost) return new ApiError(503, 'host_away', error.message);
  if (error instanceof HostRefusal)
    return new ApiError(error.code === 'not_found' ? 404 : 502, error.code, error.message);
  if (error instanceof TakeoverRefused)
    return new ApiError(409, 'takeover_refused', `Nothing has changed: ${error.message}`, {
      detail: error.output.trimEnd(),
    });
  if (error instanceof StoreError) {
    const status = STATUS[error.code];
    if (status !== undefined)
      return new ApiError(
        status,
        error.code,
        error.message,
        error.hint === undefined ? {} : { detail: error.hint },
      );
  }
  return null;
}

/** Everything that is wrong with the files that were sent. */
export function ofDocuments(errors: readonly DocumentError[]): ApiError {
  const problems = errors.flatMap(({ file, problems: of }) => of.map((problem) => ({ file, ...problem })));
  const [first] = problems;
  const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : '';
  const message =
    first === undefined ? 'The job files are wrong' : `${formatProblem(first.file, first)}${more}`;
  return new ApiError(422, 'invalid_jobs', message, { problems });
}

export function problemOf({ status, code, message, detail, problems }: ApiError): Problem {
  return {
    type: 'about:blank',
    title: message,
    status,
    code,
    ...(detail === undefined ? {} : { detail }),
    ...(problems === undefined ? {} : { problems }),
  };
}
