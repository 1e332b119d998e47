import { createHash } from 'node:crypto';
import type { Findings } from '../../document/index.ts';
import { isBadAddress, isBeyondLoopback, type Listen, parseListen } from '../../document/index.ts';
import type { Auth, Token } from './config.ts';
import type { RawConfig } from './schema.ts';

const DEFAULT_PORT = 31337;

/** Who may reach the daemon, and as whom: listeners, authentication, and whether the two go together. */
export interface Access {
  readonly listen: readonly Listen[];
  readonly auth: Auth;
  readonly insecure: boolean;
}

export function resolveAccess(raw: RawConfig, dir: string, state: string, findings: Findings): Access {
  const listeners = resolveListeners(raw.listen ?? [`unix:${state}/rocksyd.sock`], dir, findings);
  const access = {
    listen: listeners.map(({ listen }) => listen),
    auth: resolveAuth(raw.auth, findings),
    insecure: raw.insecure ?? false,
  };
  for (const { listen, index } of listeners) checkListener(listen, index, raw, findings);
  checkOpenListeners(access.listen, raw, findings);
  return access;
}

interface NumberedListener {
  readonly listen: Listen;
  /** In the file's list. */
  readonly index: number;
}

function resolveListeners(texts: readonly string[], dir: string, findings: Findings): NumberedListener[] {
  const found = new Map<string, NumberedListener>();
  for (const [index, text] of texts.entries()) {
    const listen = parseListen(text, dir, DEFAULT_PORT);
    if (isBadAddress(listen)) {
      findings.problem(['listen', index], listen.message, listen);
    } else if (found.has(listen.name)) {
      const first = found.get(listen.name)?.index;
      findings.problem(['listen', index], `${listen.name} is there twice, first as listen[${first}]`);
    } else {
      found.set(listen.name, { listen, index });
    }
  }
  return [...found.values()];
}

function resolveAuth(raw: RawConfig['auth'], findings: Findings): Auth {
  if (raw === undefined || raw === 'none') return { kind: 'none' };
  const tokens: Token[] = raw.tokens.map(({ name, role, sha256 }) => ({
    name,
    role,
    sha256: sha256.toLowerCase(),
  }));
  for (const [index, token] of tokens.entries()) checkToken(token, index, tokens, findings);
  return { kind: 'tokens', tokens };
}

const nothingHashed = ['', '\n'].map((text) => createHash('sha256').update(text).digest('hex'));

function checkToken(token: Token, index: number, tokens: readonly Token[], findings: Findings): void {
  const path = ['auth', 'tokens', index];
  const sameName = tokens.findIndex(({ name }) => name === token.name);
  if (sameName < index) {
    findings.problem([...path, 'name'], `${token.name} is already the name of auth.tokens[${sameName}]`);
  }
  const sameToken = tokens.findIndex(({ sha256 }) => sha256 === token.sha256);
  if (sameToken < index) {
    findings.problem([...path, 'sha256'], `is the same token as auth.tokens[${sameToken}]`);
  }
  if (nothingHashed.includes(token.sha256)) {
    findings.problem([...path, 'sha256'], 'is the SHA-256 of no text at all', {
      hint: `printf %s "$token" | sha256sum`,
    });
  }
}

/** What a TCP listener asks of the rest of the file. */
function checkListener(listen: Listen, index: number, raw: RawConfig, findings: Findings): void {
  if (listen.kind === 'unix') return;
  const beyond = isBeyondLoopback(listen);
  if (raw.auth === undefined && !findings.isViolated(['auth'])) {
    findings.problem(['listen', index], `${listen.name} needs auth, which says who may use it`, {
      hint: beyond
        ? 'auth: { tokens: [{ name: …, role: …, sha256: … }] }'
        : '`auth: none` lets in everybody on this machine, `auth: { tokens: […] }` those who have one',
    });
  }
  if (typeof raw.auth === 'object' && beyond && raw.insecure !== true && !findings.isViolated(['insecure'])) {
    findings.problem(
      ['listen', index],
      `${listen.name} can be reached from other machines, and there is no TLS: tokens travel in clear`,
      { hint: 'say `insecure: true` if the network is safe, or listen on 127.0.0.1 behind a tunnel' },
    );
  }
}

function checkOpenListeners(listen: readonly Listen[], raw: RawConfig, findings: Findings): void {
  const open = listen.filter(isBeyondLoopback).map(({ name }) => name);
  if (raw.auth === 'none' && open.length > 0) {
    findings.problem(['auth'], `none is for loopback only: other machines can reach ${open.join(', ')}`, {
      hint: 'use tokens, or listen on 127.0.0.1',
    });
  }
}
