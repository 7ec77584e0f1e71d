import { RootcellarError, type ErrorCode } from '../base/rootcellar-error.ts';
import { networkFault } from '../store/network-fault.ts';
import { listFrom, recordFrom } from '../store/json-shape.ts';

/** What a registry was asked to do, for people. */
export interface FaultContext {
  readonly registry: string;
  /** Such as `push team/python`. */
  readonly action: string;
  /** Where the credentials are from, or that there are none. */
  readonly where: string;
  readonly hasCredentials: boolean;
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET_ISSUER)/;

/** Whether another attempt could end otherwise. */
export function mayPass(error: unknown): boolean {
  const code = errorCode(error);
  return (
    !['ENOTFOUND', 'ECONNREFUSED', 'EPROTO'].includes(code) && !CERTIFICATE.test(code) && !code.startsWith('ERR_SSL')
  );
}

/** Whether what answers speaks no TLS. */
export function isNoTls(error: unknown): boolean {
  const code = errorCode(error);
  return code === 'EPROTO' || code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG';
}

/** E_REGISTRY for what the network threw. */
export function unreachable(registry: string, error: unknown): RootcellarError {
  const [reason, hint] = reasonOf(registry, error);
  return new RootcellarError('E_REGISTRY', `registry \`${registry}\`: ${reason}`, { hint, cause: error });
}

function reasonOf(registry: string, error: unknown): readonly [string, string] {
  const code = errorCode(error);
  const host = registry.replace(/:\d+$/, '');
  if (code === 'ENOTFOUND') return ['there is no such host', `getent hosts ${host}`];
  if (code === 'EAI_AGAIN') return ['its name cannot be looked up now', 'check the network of this machine'];
  if (code === 'ECONNREFUSED') return ['refuses connections', 'check its address and port'];
  if (isNoTls(error)) return ['speaks no TLS', '--plain-http, if everybody may read and change what is sent'];
  if (CERTIFICATE.test(code)) {
    return [`its certificate is not trusted: ${networkFault(error)}`, 'export SSL_CERT_FILE=FILE_OF_ITS_AUTHORITY.pem'];
  }
  if (/TIMEOUT|ETIMEDOUT/.test(code)) return ['does not answer', 'run it again: what was sent is kept there'];
  return [`the connection failed: ${networkFault(error)}`, 'run it again: what was sent is kept there'];
}

/** What an answer means that is not one of those expected. `text`: its body. */
export function refused(context: FaultContext, status: number, text: string): RootcellarError {
  const { registry, action, where, hasCredentials } = context;
  const detail = detailOf(text);
  const said = `${status}${detail === '' ? '' : `: ${detail}`}`;
  if (status === 401 || status === 403) {
    const by = hasCredentials ? `with the credentials of ${where}` : `without credentials: ${where}`;
    return fault(
      'E_REGISTRY_DENIED',
      `registry \`${registry}\`: may not ${action} ${by} (${said})`,
      `docker login ${registry}`,
    );
  }
  if (status === 404) {
    return fault(
      'E_IMAGE_NOT_FOUND',
      `registry \`${registry}\`: cannot ${action}: it is not there (${said})`,
      'check name and tag',
    );
  }
  if (status === 429) {
    return fault(
      'E_REGISTRY',
      `registry \`${registry}\`: was asked too often (${said})`,
      `docker login ${registry}, or wait`,
    );
  }
  return fault(
    'E_REGISTRY',
    `registry \`${registry}\`: could not ${action}: it answered ${said}`,
    'run it again, or ask whoever runs it',
  );
}

function fault(code: ErrorCode, message: string, hint: string): RootcellarError {
  return new RootcellarError(code, message, { hint });
}

/** The first error that a registry tells. Source: OCI distribution specification 1.1, "Error Codes". */
function detailOf(text: string): string {
  try {
    const [first] = listFrom(recordFrom(JSON.parse(text))['errors']);
    const { code, message } = recordFrom(first);
    return [code, message]
      .filter((part) => typeof part === 'string' && part !== '')
      .join(', ')
      .slice(0, 200);
  } catch {
    return '';
  }
}

/** undici hides the code of the connection in `cause`, Node.js those of several addresses in `errors`. */
function errorCode(error: unknown): string {
  if (!(error instanceof Error)) return '';
  if ('code' in error && typeof error.code === 'string') return error.code;
  if (error instanceof AggregateError) return error.errors.map(errorCode).find((code) => code !== '') ?? '';
  return errorCode(error.cause);
}
