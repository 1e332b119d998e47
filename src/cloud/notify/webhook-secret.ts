const PREFIX = 'whsec_';

/** The key that a secret stands for, or null: it is none (https://www.standardwebhooks.com). */
export function secretBytes(secret: string): Buffer | null {
  if (!/^whsec_[A-Za-z0-9+/]+={0,2}$/.test(secret)) return null;
  const bytes = Buffer.from(secret.slice(PREFIX.length), 'base64');
  return bytes.length >= 24 && bytes.length <= 64 ? bytes : null;
}
