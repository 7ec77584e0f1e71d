import { RootcellarError } from '../base/rootcellar-error.ts';

/** Before anything was sent: names that are not found, and addresses at which nothing listens. */
const UNREACHABLE: ReadonlySet<unknown> = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
]);

/** What `fetch` throws, in our words. */
export function connectionFault(error: unknown, address: URL): RootcellarError {
  const code = codeOf(error);
  const isCertificate = typeof code === 'string' && /CERT|TLS|SSL/.test(code);
  if (!isCertificate && !UNREACHABLE.has(code)) return lostConnection(error);
  const fault = isCertificate
    ? `has no certificate that is trusted here (${code})`
    : `does not answer (${String(code)})`;
  return new RootcellarError('E_SERVICE_UNREACHABLE', `the service at \`${address.origin}\`: ${fault}`, {
    hint: isCertificate ? 'name its authority in NODE_EXTRA_CA_CERTS' : 'rootcellar serve',
    cause: error,
  });
}

/** It may have been run, or not. */
export function lostConnection(cause?: unknown): RootcellarError {
  return new RootcellarError('E_SERVICE_LOST', 'the service: the connection ended before the answer', {
    hint: 'send it again with an `idempotencyKey` if it must not be run twice',
    cause,
  });
}

/** `fetch` wraps what the socket says; the innermost is the reason. */
function codeOf(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  const inner = error instanceof AggregateError ? error.errors[0] : error.cause;
  return codeOf(inner) ?? ('code' in error ? error.code : undefined);
}
