import { readFileSync } from 'node:fs';
import { InvalidArgumentError } from 'commander';
import { parseAddress } from '../client/index.ts';
import { type JsonValue, MAX_JSON_DEPTH, parseObject } from '../wire/index.ts';
import { parseDuration, parseMoment } from './duration.ts';

// Readers of option values, in commander's manner: the value, or InvalidArgumentError.

export function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError('Expected a duration such as 30s, 5m or 1h30m.');
  return ms;
}

export function positiveDuration(text: string): number {
  const ms = duration(text);
  if (ms < 1) throw new InvalidArgumentError('Expected a duration of at least 1ms.');
  return ms;
}

export function moment(text: string): number {
  const ms = parseMoment(text, Date.now());
  if (ms === null)
    throw new InvalidArgumentError(
      'Expected a duration before now (10m), a time of day (03:00) or a time (2026-01-31T12:00:00Z).',
    );
  return ms;
}

export function count(text: string): number {
  const number = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(number))
    throw new InvalidArgumentError('Expected a whole number.');
  return number;
}

export function atLeastOne(text: string): number {
  const number = count(text);
  if (number < 1) throw new InvalidArgumentError('Expected a whole number from 1 on.');
  return number;
}

export function timezone(text: string): string {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: text });
    return text;
  } catch {
    throw new InvalidArgumentError('Expected a time zone such as Europe/Berlin or UTC.');
  }
}

/** A text to look for. The daemon takes so much, within a line. */
export function searched(text: string): string {
  const { length } = [...text];
  if (length < 1 || length > 200 || text.includes('\n'))
    throw new InvalidArgumentError('Expected 1 to 200 characters on one line.');
  return text;
}

export function address(text: string): string {
  try {
    parseAddress(text);
  } catch {
    throw new InvalidArgumentError('Expected unix:/path/to/socket or tcp://host:port.');
  }
  return text;
}

/** Reads the token, so that it never stands in a process list. */
export function tokenFile(path: string): string {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    throw new InvalidArgumentError(`Can't be read: ${(error as Error).message}`);
  }
  if (token === '') throw new InvalidArgumentError('The file is empty.');
  return token;
}

/** Collects `A=B`; a bare `A` takes its value from our own environment. */
export function environment(
  text: string,
  former: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const at = text.indexOf('=');
  const name = at < 0 ? text : text.slice(0, at);
  const value = at < 0 ? process.env[name] : text.slice(at + 1);
  if (name === '') throw new InvalidArgumentError('Expected NAME=VALUE or NAME.');
  if (value === undefined) throw new InvalidArgumentError(`${name} is not set here, and no value is given.`);
  return { ...former, [name]: value };
}

/** An argument as one element of `params`: JSON, with its numbers digit by digit, else the text itself. */
export function param(text: string): JsonValue {
  try {
    JSON.parse(text);
  } catch {
    return text;
  }
  try {
    return parseObject(`{"param":${text}}`).param ?? null;
  } catch {
    throw new InvalidArgumentError(`The JSON nests deeper than ${MAX_JSON_DEPTH}.`);
  }
}
