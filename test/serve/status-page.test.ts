import { execFileSync } from 'node:child_process';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { softwareVersions } from '../../src/serve/software-versions.ts';
import { statusPage } from '../../src/serve/status-page.ts';
import { launchBrowser } from './browser.ts';
import { endedRun, IMAGE } from './watched-runs.ts';
import { busyRuns, busyState, startWatchedService, type WatchedService } from './watched-service.ts';

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

interface Opened extends AsyncDisposable {
  readonly page: Page;
  /** What the browser complained of: violations of the policy, exceptions, answers that are errors. */
  readonly complaints: readonly string[];
}

/** Opens the page and waits until it shows the service. Its clock can be put forward. */
async function open(url: string, options: BrowserContextOptions = {}): Promise<Opened> {
  const context = await browser.newContext({ timezoneId: 'UTC', locale: 'en-GB', ...options });
  const page = await context.newPage();
  await page.clock.install();
  const complaints: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(error.message));
  await page.goto(url);
  await page.locator('main:not([aria-busy])').waitFor();
  return { page, complaints, [Symbol.asyncDispose]: () => context.close() };
}

/** A busy service with its runs seen by the latency view. */
async function busyService(): Promise<WatchedService> {
  const service = await startWatchedService();
  for (const run of busyRuns()) service.watch.runEnded(run);
  service.become(busyState());
  return service;
}

describe('the status page', () => {
  it('shows what is served, how busy it is, and how runs went', async () => {
    await using service = await busyService();
    await using opened = await open(service.url);
    const { page, complaints } = opened;
    const text = await page.locator('body').innerText();
    expect(text).toMatch(/Ready\s+up 3 d 2 h/);
    expect(text).toMatch(/Running\s+3\s+of 4/);
    expect(text).toMatch(/Waiting\s+7\s+of 50/);
    expect(text).toMatch(/Warm cells free\s+5\s+of 8/);
    expect(text).toMatch(/Ended well\s+93\s+of the last 100 runs/);
    expect(text).toMatch(/Image\s+python\s+Generation\s+7\s+Digest\s+abababababab\s/);
    expect(text).toMatch(/Tier B · 15 layers active/);
    expect(await page.locator('.layers.missing li').allInnerTexts()).toEqual(['cgroup-limits', 'own-uid']);
    expect(await page.locator('#latencies tbody tr').allInnerTexts()).toEqual([
      expect.stringMatching(/^Warm\s+4\.55 ms\s+6\.43 ms\s+6\.95 ms\s+71$/),
      expect.stringMatching(/^Forked\s+16\.4 ms/),
      expect.stringMatching(/^Cold\s+48\.0 ms\s+10\.0 s\s+10\.0 s\s+11$/),
    ]);
    expect(await page.locator('#runs tbody tr').nth(3).innerText()).toMatch(
      /^10:59:56\s+error\s+Warm\s+Python\s+0\.63 ms\s+6\.05 ms\s+socket\s×\s4\s+3f0c9ac4$/,
    );
    expect(await page.locator('#chart .mark').count()).toBe(100);
    expect(await page.locator('#chart .mark.hollow').count()).toBe(7);
    expect(complaints).toEqual([]);
  });

  it('follows the service without being loaded again', async () => {
    await using service = await startWatchedService();
    await using opened = await open(service.url);
    const { page } = opened;
    await page.getByText('No run yet. Send the first one:').waitFor();
    await page.evaluate('globalThis.isSamePage = true');
    service.watch.runEnded(endedRun({ totalMs: 42 }));
    service.become({ phase: 'draining', lastRuns: [endedRun({ totalMs: 42 })] });
    await page.getByRole('row', { name: /ok.*42\.0 ms/ }).waitFor();
    expect(await page.getByRole('status').first().innerText()).toBe('Stopping');
    expect(await page.title()).toBe('Stopping · Rootcellar');
    expect(await page.evaluate('globalThis.isSamePage')).toBe(true);
  });

  it('says when its image was refreshed, and when it will be', async () => {
    await using service = await startWatchedService();
    await using opened = await open(service.url);
    const images = opened.page.locator('#images');
    expect(await images.innerText()).not.toContain('refresh');
    service.watch.refreshPlanned({ image: 'python', dueAt: undefined });
    await images.getByText('when asked').waitFor();
    expect(await images.innerText()).toMatch(/Last refresh\s+none yet\s+Next refresh\s+when asked/);
    service.watch.refreshPlanned({ image: 'python', dueAt: Date.UTC(2026, 10, 21, 11, 30, 0) });
    const endedAt = Date.UTC(2026, 10, 21, 10, 58, 59);
    service.watch.refreshEnded({ image: 'python', result: 'kept', durationMs: 1234, endedAt });
    await images.getByText('newer versions not taken').waitFor();
    expect(await images.innerText()).toMatch(
      /Last refresh\s+21\/11\/2026, 10:58:59: newer versions not taken\s+Next refresh\s+21\/11\/2026, 11:30:00/,
    );
    expect(Object(await (await fetch(`${service.url}v1/status`)).json())).toMatchObject({
      refreshes: [
        {
          image: 'python',
          last: { ended_at: '2026-11-21T10:58:59.000Z', result: 'kept', duration_ms: 1234 },
          next_at: '2026-11-21T11:30:00.000Z',
        },
      ],
    });
    expect(opened.complaints).toEqual([]);
  });

  it('says why the newest image is not served', async () => {
    await using service = await startWatchedService();
    service.become({ problem: 'python: the index has no pandsa' });
    await using opened = await open(service.url);
    expect(await opened.page.locator('#problem').innerText()).toBe('python: the index has no pandsa');
    service.become({});
    await opened.page.locator('#problem').waitFor({ state: 'hidden' });
  });

  it('says that the service is gone, keeps what it knew, and notices its return', async () => {
    const service = await busyService();
    await using opened = await open(service.url);
    const { page } = opened;
    await service.close();
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.innerText()).toMatch(
      /^No answer from the service since \d\d:\d\d:\d\d; what is below is from then\./,
    );
    expect(await page.title()).toBe('No answer · Rootcellar');
    expect(await page.locator('#runs tbody tr').count()).toBe(100);
    await using again = await startWatchedService(Number(new URL(service.url).port));
    await alert.waitFor({ state: 'hidden' });
    expect(await page.locator('#runs').innerText()).toContain('No run yet');
    expect(again.url).toBe(service.url);
  });

  it('says that the key is not accepted any more, and stops asking', async () => {
    await using service = await startWatchedService();
    await using opened = await open(service.url);
    const { page } = opened;
    let asked = 0;
    await page.route('**/v1/status', (route) => {
      asked += 1;
      return route.fulfill({ status: 401 });
    });
    await page.getByRole('alert').getByText('does not accept this key').waitFor();
    expect(asked).toBe(1);
    await page.clock.runFor(600_000);
    expect(asked).toBe(1);
  });

  it('does not ask while it is paused or hidden', async () => {
    await using service = await startWatchedService();
    await using opened = await open(service.url);
    const { page } = opened;
    let asked = 0;
    page.on('request', () => {
      asked += 1;
    });
    await page.clock.pauseAt(Number(await page.evaluate('Date.now()')) + 500);
    await page.keyboard.press('Tab');
    expect(await page.locator(':focus').innerText()).toBe('Pause');
    await page.keyboard.press('Enter');
    await page.getByText(/^paused at /).waitFor();
    const before = asked;
    await page.clock.runFor(600_000);
    expect(asked).toBe(before);
    await page.keyboard.press('Enter');
    await page.getByText(/^up /).waitFor();
    expect(asked).toBe(before + 1);
    await page.clock.runFor(500);
    await page.keyboard.press('Enter');
    await Promise.all([page.waitForResponse('**/v1/status'), page.keyboard.press('Enter')]);
    await page.getByText(/^up /).waitFor();
    // One look in two seconds, however often it was stopped and resumed.
    await page.clock.runFor(1999);
    expect(asked).toBe(before + 2);
    await setHidden(page, true);
    await page.clock.runFor(600_000);
    expect(asked).toBe(before + 2);
    await Promise.all([page.waitForResponse('**/v1/status'), setHidden(page, false)]);
    expect(asked).toBe(before + 3);
  });

  it('is readable in light and dark, and fits a phone', async () => {
    await using service = await busyService();
    const phone = { width: 360, height: 740 };
    for (const colorScheme of ['light', 'dark'] as const) {
      await using opened = await open(service.url, { colorScheme, viewport: phone });
      const { page } = opened;
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(phone.width);
      const widths = await page.locator('.scroll').evaluate((node) => [node.scrollWidth, node.clientWidth]);
      expect(widths[0]).toBe(widths[1]);
      const contrasts = await page.evaluate<readonly { readonly text: string; readonly ratio: number }[]>(CONTRASTS);
      expect(contrasts.length).toBeGreaterThan(100);
      // WCAG 2.2, 1.4.3: what text of this size needs.
      expect(contrasts.filter(({ ratio }) => ratio < 4.5)).toEqual([]);
    }
  });

  it('can be understood without seeing it', async () => {
    await using service = await busyService();
    await using opened = await open(service.url);
    const { page } = opened;
    expect(await page.getByRole('heading').allInnerTexts()).toEqual([
      'Rootcellar',
      'Latency',
      'Served',
      'Isolation of the last run',
      'Last runs',
    ]);
    const chart = page.getByRole('img', { name: /^Duration of the last 100 runs .* from 2\.\d+ ms to 10\.0 s/ });
    expect(await chart.count()).toBe(1);
    expect(await page.getByRole('table', { name: 'Last runs, the newest first' }).count()).toBe(1);
    expect(await page.getByRole('rowheader', { name: 'Warm' }).count()).toBe(1);
    expect(await page.getByRole('group', { name: 'Table of the last runs' }).getAttribute('tabindex')).toBe('0');
    expect(await page.locator('html').getAttribute('lang')).toBe('en');
  });
});

describe('the status page and hostile words', () => {
  const HOSTILE = `</script><script>globalThis.isTaken = true</script><img src=x onerror="globalThis.isTaken = true">`;

  it('shows them as text', async () => {
    await using service = await startWatchedService();
    service.become({
      problem: HOSTILE,
      images: [{ ...IMAGE, name: HOSTILE, languages: ['python3'] }],
      isolation: { tier: 'A', layers: [HOSTILE], missing: [HOSTILE] },
      lastRuns: [endedRun({ requestId: HOSTILE, denied: [{ syscall: HOSTILE, nr: 1, arch: 'amd64', count: 1 }] })],
    });
    await using opened = await open(service.url);
    const { page, complaints } = opened;
    expect(await page.locator('#images strong').innerText()).toBe(HOSTILE);
    expect(await page.locator('#problem').innerText()).toBe(HOSTILE);
    expect(await page.locator('td.denied').innerText()).toBe(HOSTILE);
    expect(await page.locator('td.request span').getAttribute('title')).toBe(HOSTILE);
    expect(await page.locator('.layers li').allInnerTexts()).toEqual([HOSTILE, HOSTILE]);
    expect(await page.locator('img').count()).toBe(0);
    expect(await page.evaluate('globalThis.isTaken')).toBeUndefined();
    expect(complaints).toEqual([]);
  });

  it('lets no script, style, frame or request through but its own', async () => {
    await using service = await startWatchedService();
    await using other = await startWatchedService();
    await using opened = await open(service.url);
    const { page, complaints } = opened;
    await page.evaluate(`globalThis.elsewhere = ${JSON.stringify(other.url)}`);
    const outcomes = await page.evaluate<Readonly<Record<string, boolean>>>(TRIES);
    expect(outcomes).toEqual({ script: false, handler: false, markup: false, frame: false, elsewhere: false });
    expect(complaints.join('\n')).toContain('Content Security Policy');
  });

  it('is one document that names nothing outside of the service', async () => {
    await using service = await startWatchedService();
    const answer = await fetch(service.url);
    expect(answer.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    const policy = answer.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|\*/);
    const html = await answer.text();
    expect(html).toBe(statusPage().html);
    expect(html.match(/\s(?:src|href)="(?!data:)[^"]*"/g)).toEqual([
      ' href="v1/status"',
      ' href="v1/status"',
      ' href="metrics"',
    ]);
    expect(html).not.toMatch(/@import|url\(/);
  });

  it('is in the built package as it is in the source', () => {
    const built = new URL('../../dist/serve/status-page.js', import.meta.url);
    const program = `import { statusPage } from '${built.href}'; process.stdout.write(statusPage().html);`;
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
    expect(printed).toBe(statusPage().html);
  });
});

describe('the routes of whoever watches', () => {
  it('answer with metrics and with the state as JSON', async () => {
    await using service = await busyService();
    const metrics = await fetch(`${service.url}metrics`);
    expect(metrics.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(await metrics.text()).toContain('rootcellar_runs_in_flight 3');
    const status = await fetch(`${service.url}v1/status`);
    expect(status.headers.get('cache-control')).toBe('no-store');
    expect(await status.json()).toMatchObject({
      time: '2026-11-21T11:00:00.000Z',
      version: softwareVersions().version,
      phase: 'ready',
      problem: null,
      load: { running: 3, capacity: 4, queue_length: 7, queue_capacity: 50 },
      images: [{ name: 'python', generation: 7, digest: IMAGE.digest, languages: ['python3', 'nodejs'] }],
      pools: [{ image: 'python', generation: 7, size: 8, free: 5 }],
      latency: [{ start: 'warm', runs: 71 }, { start: 'forked' }, { start: 'cold', p99_ms: 10_000.875 }],
    });
  });

  it('say nothing of who has sent a run', async () => {
    await using service = await startWatchedService();
    service.become({ lastRuns: [endedRun({ keyName: 'another-tenant' })] });
    expect(await (await fetch(`${service.url}v1/status`)).text()).not.toContain('another-tenant');
  });
});

function setHidden(page: Page, isHidden: boolean): Promise<unknown> {
  return page.evaluate(`
    Object.defineProperty(document, 'hidden', { configurable: true, value: ${isHidden} });
    document.dispatchEvent(new Event('visibilitychange'));
  `);
}

/** Each text with the ratio of its luminance to that of what is behind it: WCAG 2.2, "contrast ratio". */
const CONTRASTS = `
  (() => {
    const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
    const luminance = (color) => {
      const [r, g, b] = numbers(color).map((value) => channel(value / 255));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const isClear = (color) => numbers(color)[3] === 0;
    const behind = (node) => {
      const color = getComputedStyle(node).backgroundColor;
      return isClear(color) && node.parentElement !== null ? behind(node.parentElement) : color;
    };
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
      const parent = node.parentElement;
      if (node.data.trim() === '' || parent.closest('script, style, noscript, title, [hidden]') !== null) continue;
      const style = getComputedStyle(parent);
      const color = parent instanceof SVGElement ? style.fill : style.color;
      const [high, low] = [luminance(color), luminance(behind(parent))].toSorted((a, b) => b - a);
      found.push({ text: node.data, ratio: (high + 0.05) / (low + 0.05) });
    }
    return found;
  })()
`;

/** What somebody who can put things into the page would try; each tells whether it worked. */
const TRIES = `
  (async () => {
    const tried = { script: false, handler: false, markup: false, frame: false, elsewhere: false };
    globalThis.tried = tried;
    const script = document.createElement('script');
    try { script.text = 'tried.script = true'; } catch {}
    script.append('tried.script = true');
    document.body.append(script);
    const button = document.createElement('button');
    try { button.setAttribute('onclick', 'tried.handler = true'); } catch {}
    document.body.append(button);
    button.click();
    try { document.body.insertAdjacentHTML('beforeend', '<b id="markup"></b>'); } catch {}
    tried.markup = document.getElementById('markup') !== null;
    const frame = document.createElement('iframe');
    frame.src = 'v1/status';
    document.body.append(frame);
    await new Promise((resolve) => { frame.onload = resolve; frame.onerror = resolve; });
    try { tried.frame = frame.contentDocument !== null && frame.contentDocument.body.innerText.includes('uptime'); } catch {}
    tried.elsewhere = await fetch(elsewhere, { mode: 'no-cors' }).then(() => true, () => false);
    return tried;
  })()
`;
