import type { SlackChannel } from '../config.ts';
import type { Notice } from '../notice.ts';
import type { Message } from './message.ts';
import { type Limits, request } from './request.ts';
import type { Result } from './result.ts';
import { secretsOfUrl } from './secrets.ts';
import { jobLines, titleOf } from './words.ts';

// https://docs.slack.dev/reference/block-kit/blocks: a header has 150 characters, a section 3000.
const HEADER_CHARS = 150;
/** Escaped, each may become five. */
const CAUSE_CHARS = 500;
const SECTION_CHARS = 2900;

const SIGNS = { opened: '🔴', reminder: '🟠', recovered: '🟢' } as const;

export async function sendSlack(
  { url }: Pick<SlackChannel, 'url'>,
  { notice }: Message,
  limits: Limits,
  nowMs: number,
): Promise<Result> {
  const body = JSON.stringify(slackPayload(notice));
  const headers = { 'content-type': 'application/json' };
  return request(url, { method: 'POST', headers, body }, limits, nowMs, secretsOfUrl(url));
}

/** `text` is what a telephone shows, and programs that know no blocks. */
export function slackPayload(notice: Notice) {
  const title = `${SIGNS[notice.what]} ${titleOf(notice)}`;
  return {
    text: escaped(title),
    blocks: [
      { type: 'header', text: { type: 'plain_text', text: cut(title, HEADER_CHARS), emoji: true } },
      section(linesWithin(jobLines(notice).map(escaped), SECTION_CHARS)),
      ...notice.causes
        .filter((cause) => cause !== '')
        .map((cause) => section(`\`\`\`${escaped(cut(cause, CAUSE_CHARS)).replaceAll('```', "'''")}\`\`\``)),
    ],
  };
}

function section(text: string) {
  return { type: 'section', text: { type: 'mrkdwn', text } };
}

/** Nothing that an error contains calls people by `<!channel>`. */
function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

function cut(text: string, chars: number): string {
  return text.length <= chars ? text : `${text.slice(0, chars - 1).toWellFormed()}…`;
}

function linesWithin(lines: readonly string[], chars: number): string {
  let text = '';
  for (const line of lines) {
    if (text.length + line.length + 2 > chars) return `${text}\n…`;
    text += text === '' ? line : `\n${line}`;
  }
  return text;
}
