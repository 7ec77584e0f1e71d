import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate for 127.0.0.1 that its own authority signed, made by openssl in `folder`. */
export interface ToyCertificate {
  /** Path of the authority's certificate. */
  readonly authority: string;
  readonly tls: { readonly key: string; readonly cert: string };
}

export function toyCertificate(folder: string): ToyCertificate {
  const openssl = (...words: readonly string[]): void => {
    execFileSync('openssl', words, { cwd: folder, stdio: 'pipe' });
  };
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  openssl('req', '-x509', ...key, '-keyout', 'ca.key', '-out', 'ca.pem', '-days', '30', '-subj', '/CN=Toy CA');
  const san = ['-addext', 'subjectAltName=IP:127.0.0.1', '-addext', 'basicConstraints=CA:FALSE'];
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-days', '30'];
  openssl('req', '-x509', ...key, ...signed, ...san, '-keyout', 'site.key', '-out', 'site.pem', '-subj', '/CN=site');
  const read = (name: string): string => readFileSync(join(folder, name), 'utf8');
  return { authority: join(folder, 'ca.pem'), tls: { key: read('site.key'), cert: read('site.pem') } };
}
