/** An address, and the header that carries the credentials that stood in it. */
export interface SplitUrl {
  readonly url: URL;
  /** Value of an `Authorization` header. */
  readonly authorization: string | undefined;
}

/** The address as it may be shown: no user, password, query or fragment, each of which can hold a secret. */
export function scrubUrl(text: string): string {
  if (!URL.canParse(text)) return 'an address that cannot be read';
  const url = new URL(text);
  url.username = '';
  url.password = '';
  url.search = '';
  url.hash = '';
  return url.href;
}

/** Takes the credentials out of an address. Undefined when it is no `http:`, `https:` or `file:` address. */
export function splitUrl(text: string): SplitUrl | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (!['http:', 'https:', 'file:'].includes(url.protocol)) return undefined;
  const user = unescaped(url.username);
  const password = unescaped(url.password);
  url.username = '';
  url.password = '';
  url.hash = '';
  const isNamed = user !== '' || password !== '';
  const credentials = Buffer.from(`${user}:${password}`).toString('base64');
  return { url, authorization: isNamed ? `Basic ${credentials}` : undefined };
}

/** Text that is no valid percent-encoding stands for itself. */
function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch (error) {
    if (error instanceof URIError) return text;
    throw error;
  }
}
