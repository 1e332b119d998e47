import { createTransport } from 'nodemailer';
import type { EmailChannel } from '../config.ts';
import type { Message } from './message.ts';
import type { Limits } from './request.ts';
import { type Result, type ResultParts, resultOf } from './result.ts';
import { decoded, secretsOfSmtp } from './secrets.ts';
import { jobLines, titleOf } from './words.ts';

/** One mail by a connection of its own, which is closed before this returns. */
export async function sendEmail(
  channel: Pick<EmailChannel, 'smtp' | 'from' | 'to'>,
  message: Message,
  { timeoutMs, signal }: Limits,
): Promise<Result> {
  const secrets = secretsOfSmtp(channel.smtp);
  const timeout = AbortSignal.timeout(timeoutMs);
  const transport = createTransport({ ...serverOf(channel.smtp), connectionTimeout: timeoutMs });
  try {
    const { response, rejected } = await transport.sendMail({
      ...mailOf(channel, message),
      signal: AbortSignal.any([signal, timeout]),
    });
    // To send it again would send it twice to the others.
    const missed = rejected.length === 0 ? '' : `not taken for ${rejected.length} of ${channel.to.length}; `;
    return resultOf({ ok: true, status: statusOf(response), detail: `${missed}${response}` }, secrets);
  } catch (error) {
    const late = { ok: false, status: null, detail: `no answer within ${timeoutMs} ms` };
    return resultOf(timeout.aborted ? late : refusal(error), secrets);
  } finally {
    transport.close();
  }
}

/**
 * A password never goes over a network in clear: with one, STARTTLS is a must, but on the machine itself. The query of
 * the URL is not read, since nodemailer takes any of its options from there, a log of the conversation among them.
 */
function serverOf(smtp: string) {
  const { protocol, hostname, port, username, password } = new URL(smtp);
  const secure = protocol === 'smtps:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const auth = username === '' ? {} : { auth: { user: decoded(username), pass: decoded(password) } };
  const isLocal = host === 'localhost' || host === '::1' || /^127\./.test(host);
  return {
    host,
    port: port === '' ? (secure ? 465 : 587) : Number(port),
    secure,
    requireTLS: !secure && username !== '' && !isLocal,
    ...auth,
  };
}

function mailOf({ from, to }: Pick<EmailChannel, 'from' | 'to'>, { id, notice }: Message) {
  const title = titleOf(notice);
  const text = [`${title}.`, '', ...jobLines(notice), '', ...notice.causes].join('\n');
  const [first] = notice.jobs.flatMap(({ incidents }) => incidents);
  return {
    from,
    to: [...to],
    subject: `[Rocksy] ${title}`,
    text: `${text}\n`,
    // The same over all attempts: most servers show what comes twice once.
    messageId: `<${id}@rocksy.invalid>`,
    // One thread from the alert to the recovery.
    ...(first === undefined ? {} : { references: [`<${first}@rocksy.invalid>`] }),
    // RFC 3834: nobody's absence is answered to a program.
    headers: { 'Auto-Submitted': 'auto-generated' },
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

function refusal(error: unknown): ResultParts {
  if (!(error instanceof Error)) return { ok: false, status: null, detail: 'it could not be sent' };
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code} ` : '';
  const status =
    'responseCode' in error && typeof error.responseCode === 'number' ? error.responseCode : null;
  return { ok: false, status, detail: `${code}${error.message}` };
}

function statusOf(response: string): number | null {
  const status = Number.parseInt(response, 10);
  return Number.isNaN(status) ? null : status;
}
