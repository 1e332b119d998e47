import assert from 'node:assert/strict';
import crypto, { createHash, createHmac } from 'node:crypto';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { short, type Workload, workload } from './workload.ts';

const { subtle } = crypto.webcrypto;
const scrypt = promisify<string, string, number, Buffer>(crypto.scrypt);

/** OpenSSL: in the main thread, and in those of the threadpool. */
export const cryptography: readonly Workload[] = [
  short('hashes', async () => {
    const sha = (content: string): string => createHash('sha256').update(content).digest('hex');
    assert.equal(sha('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
    assert.equal(
      createHmac('md5', 'Jefe').update('what do ya want for nothing?').digest('hex'),
      '750c783e6ab0b503eaa86e310a5db738',
    );
    const stream = createHash('sha256');
    await pipeline(['a', 'b', 'c'], stream);
    assert.equal(stream.digest('hex'), sha('abc'));
  }),
  short('pbkdf2 in the threadpool', async () => {
    const all = await Promise.all(
      Array.from({ length: 8 }, () => promisify(crypto.pbkdf2)('password', 'salt', 2, 20, 'sha1')),
    );
    const known = 'ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957'; // RFC 6070
    assert.deepEqual(new Set(all.map((each) => each.toString('hex'))), new Set([known]));
  }),
  workload('scrypt in the threadpool', async () => {
    const all = await Promise.all(Array.from({ length: 6 }, () => scrypt('', '', 64)));
    const known = crypto.scryptSync('', '', 64);
    for (const each of all) assert.deepEqual(each, known);
  }),
  short('randomBytes in the threadpool', async () => {
    const all = await Promise.all(Array.from({ length: 50 }, () => promisify(crypto.randomBytes)(32)));
    assert.equal(new Set(all.map((bytes) => bytes.toString('hex'))).size, 50);
  }),
  workload('generateKeyPair, sign and verify', async () => {
    const generate = promisify(crypto.generateKeyPair);
    const pairs = [
      await generate('ed25519'),
      await generate('ec', { namedCurve: 'P-256' }),
      await generate('rsa', { modulusLength: 1024 }),
    ];
    const data = Buffer.from('what is signed');
    for (const { publicKey, privateKey } of pairs) {
      const algorithm = publicKey.asymmetricKeyType === 'ed25519' ? null : 'sha256';
      const signature = crypto.sign(algorithm, data, privateKey);
      assert.equal(crypto.verify(algorithm, data, publicKey, signature), true);
      assert.equal(crypto.verify(algorithm, Buffer.from('another'), publicKey, signature), false);
    }
  }),
  short('a cipher', () => {
    const [key, nonce] = [crypto.randomBytes(32), crypto.randomBytes(12)];
    const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce);
    const sealed = Buffer.concat([cipher.update('a secret'), cipher.final()]);
    const decipher = crypto.createDecipheriv('aes-256-gcm', key, nonce).setAuthTag(cipher.getAuthTag());
    assert.equal(Buffer.concat([decipher.update(sealed), decipher.final()]).toString(), 'a secret');
  }),
  workload('webcrypto', async () => {
    const key = await subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, ['encrypt', 'decrypt']);
    const iv = crypto.webcrypto.getRandomValues(new Uint8Array(12));
    const sealed = await subtle.encrypt({ name: 'AES-GCM', iv }, key, Buffer.from('a secret'));
    assert.equal(
      Buffer.from(await subtle.decrypt({ name: 'AES-GCM', iv }, key, sealed)).toString(),
      'a secret',
    );
    const pair = await subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
    const how = { name: 'ECDSA', hash: 'SHA-256' };
    const signature = await subtle.sign(how, pair.privateKey, sealed);
    assert.equal(await subtle.verify(how, pair.publicKey, signature, sealed), true);
    const digests = await Promise.all(Array.from({ length: 50 }, () => subtle.digest('SHA-512', sealed)));
    assert.equal(new Set(digests.map((each) => Buffer.from(each).toString('hex'))).size, 1);
  }),
];
