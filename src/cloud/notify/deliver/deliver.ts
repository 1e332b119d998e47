import type { Channel } from '../config.ts';
import { sendEmail } from './email.ts';
import type { Message } from './message.ts';
import type { Limits } from './request.ts';
import type { Result } from './result.ts';
import { sendSlack } from './slack.ts';
import { sendWebhook } from './webhook.ts';

/** One attempt. It never throws for what a receiver does. */
export type Deliver = (channel: Channel, message: Message, limits: Limits, nowMs: number) => Promise<Result>;

export const deliver: Deliver = (channel, message, limits, nowMs) => {
  switch (channel.kind) {
    case 'webhook':
      return sendWebhook(channel, message, limits, nowMs);
    case 'slack':
      return sendSlack(channel, message, limits, nowMs);
    case 'email':
      return sendEmail(channel, message, limits);
  }
};
