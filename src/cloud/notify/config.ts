import { type Static, Type } from 'typebox';
import { closed } from '../../document/index.ts';
import { INCIDENT_KINDS } from './observation.ts';
import { secretBytes } from './webhook-secret.ts';

const text = (description: string) => Type.String({ minLength: 1, maxLength: 2000, description });

const common = {
  name: Type.String({
    pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$',
    description: 'a name of letters, digits, . _ - (at most 100)',
  }),
  /** Which incidents it is told of, with their reminders and their end; without: of all. */
  on: Type.Optional(
    Type.Array(Type.Enum([...INCIDENT_KINDS], { description: 'failed, late, missed or too_long' }), {
      description: 'a list of failed, late, missed and too_long',
    }),
  ),
  /** Null, or without: every project. */
  projects: Type.Optional(
    Type.Union([Type.Array(text('the name of a project')), Type.Null()], {
      description: 'a list of projects, or null for all',
    }),
  ),
};

const webhook = Type.Object(
  {
    kind: Type.Literal('webhook'),
    ...common,
    url: text('a URL with http or https'),
    /** As in Standard Webhooks: `whsec_` and 24 to 64 bytes in base64. */
    secret: text('whsec_ and 24 to 64 bytes in base64'),
  },
  { ...closed, description: 'a mapping with name, kind, on, projects, url and secret' },
);

/** Slack, and what takes the same payload: Mattermost, Rocket.Chat. */
const slack = Type.Object(
  { kind: Type.Literal('slack'), ...common, url: text('the URL of an incoming webhook') },
  { ...closed, description: 'a mapping with name, kind, on, projects and url' },
);

const email = Type.Object(
  {
    kind: Type.Literal('email'),
    ...common,
    /** `smtp://user:password@host:587` (STARTTLS) or `smtps://…` (TLS from the start). */
    smtp: text('a URL with smtp or smtps'),
    from: text('an address'),
    to: Type.Array(text('an address'), { minItems: 1, description: 'a list of addresses' }),
  },
  { ...closed, description: 'a mapping with name, kind, on, projects, smtp, from and to' },
);

const channel = Type.Union([webhook, slack, email], {
  description: 'a mapping with name, kind (webhook, slack or email), on and projects',
});

const heartbeat = Type.Object(
  {
    url: text('a URL with http or https'),
    everyMs: Type.Integer({ minimum: 1000, maximum: 86_400_000, description: 'milliseconds, at least 1000' }),
  },
  { ...closed, description: 'a mapping with url and everyMs' },
);

export const notifyConfigSchema = Type.Object(
  {
    channels: Type.Array(channel, { description: 'a list of channels' }),
    heartbeat: Type.Union([heartbeat, Type.Null()], {
      description: 'a mapping with url and everyMs, or null',
    }),
  },
  { ...closed, description: 'a mapping with channels and heartbeat' },
);

export type NotifyConfig = Static<typeof notifyConfigSchema>;
export type Channel = NotifyConfig['channels'][number];
export type WebhookChannel = Static<typeof webhook>;
export type SlackChannel = Static<typeof slack>;
export type EmailChannel = Static<typeof email>;
export type HeartbeatConfig = Static<typeof heartbeat>;

/** What the schema can't say. Nothing of a URL or a secret is in the messages. */
export function mistakesIn({ channels, heartbeat: beat }: NotifyConfig): string[] {
  const names = channels.map(({ name }) => name);
  const twice = [...new Set(names.filter((name, i) => names.indexOf(name) !== i))];
  return [
    ...twice.map((name) => `two channels are named '${name}': a name says where a notice went`),
    ...channels.flatMap((each) => mistakesOf(each).map((mistake) => `channel '${each.name}': ${mistake}`)),
    ...(beat === null ? [] : httpMistakes('url', beat.url).map((mistake) => `heartbeat: ${mistake}`)),
  ];
}

function mistakesOf(each: Channel): string[] {
  switch (each.kind) {
    case 'slack':
      return httpMistakes('url', each.url);
    case 'webhook':
      return [
        ...httpMistakes('url', each.url),
        ...(secretBytes(each.secret) === null
          ? ["secret must be 'whsec_' and 24 to 64 bytes in base64: echo whsec_$(openssl rand -base64 32)"]
          : []),
      ];
    case 'email':
      return hasProtocol(each.smtp, ['smtp:', 'smtps:'])
        ? []
        : ['smtp must be a URL: smtp://user:password@host:587 or smtps://user:password@host:465'];
  }
}

function httpMistakes(key: string, url: string): string[] {
  if (!hasProtocol(url, ['http:', 'https:'])) return [`${key} must be a URL with http or https`];
  const { username, password } = new URL(url);
  return username === '' && password === '' ? [] : [`${key} must not contain a user name or a password`];
}

function hasProtocol(url: string, protocols: readonly string[]): boolean {
  const parsed = URL.parse(url);
  return parsed !== null && protocols.includes(parsed.protocol) && parsed.hostname !== '';
}
