/**
 * Takes host names, credentials and query strings out of the addresses in a text, for messages:
 * `https://u:p@host:1/simple/x/?t=1` becomes `https://…/simple/x/`.
 */
export function redactAddresses(text: string): string {
  return text
    .replaceAll(/ ?\[IP: [^\]]*\]/g, '')
    .replaceAll(/\b([a-z][a-z0-9+.-]*):\/\/[^\s'"<>`,)\]]+/gi, (address, scheme: string) => {
      if (scheme.toLowerCase() === 'file') return address;
      const path = address
        .slice(scheme.length + 3)
        .replace(/^[^/?#]*/, '')
        .replace(/[?#].*$/, '');
      return `${scheme}://…${path}`;
    });
}

/** The last lines of a program's output, at most `lines` of them, without addresses. */
export function tailOf(output: string, lines: number): string {
  const all = redactAddresses(output)
    .split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '');
  return all.slice(-lines).join('\n');
}
