/** undici hides what happened behind a general message, in `cause` or in a code. */
export function networkFault(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection failed';
  const inner = error.cause instanceof Error ? error.cause.message : '';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  return [error.message, inner, code].find((text) => text !== '') ?? 'the connection failed';
}
