import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/** The page at `/`: one document that needs nothing else but `/v1/status`. */
export interface StatusPage {
  readonly html: string;
  /** Lets exactly the page's own styles and scripts through, by their hashes. */
  readonly contentSecurityPolicy: string;
}

const STYLE = /<link rel="stylesheet" href="([a-z-]+\.css)" \/>/g;
const SCRIPT = /<script src="([a-z-]+\.js)"><\/script>/g;

/** Puts the files of `status-page/` together, which `page.html` names as a browser would want them. */
export function statusPage(): StatusPage {
  const page = assetText('page.html');
  const styles = [...page.matchAll(STYLE)].map(([, name = '']) => assetText(name));
  const scripts = [...page.matchAll(SCRIPT)].map(([, name = '']) => assetText(name));
  const html = page
    .replaceAll(STYLE, (_, name: string) => `<style>${assetText(name)}</style>`)
    .replaceAll(SCRIPT, (_, name: string) => `<script>${assetText(name)}</script>`);
  return { html, contentSecurityPolicy: policy({ styles, scripts }) };
}

function policy({
  styles,
  scripts,
}: {
  readonly styles: readonly string[];
  readonly scripts: readonly string[];
}): string {
  return [
    "default-src 'none'",
    `script-src ${scripts.map(hashSource).join(' ')}`,
    `style-src ${styles.map(hashSource).join(' ')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    // Text is never made into markup, so no policy for it is allowed.
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}

function hashSource(text: string): string {
  return `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
}

function assetText(name: string): string {
  return readFileSync(new URL(`status-page/${name}`, import.meta.url), 'utf8');
}
