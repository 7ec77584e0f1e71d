'use strict';

/** Looked at again so often. After failures less often, so that a service that comes back is not met by a crowd. */
const POLL_MS = 2000;
const SLOWEST_POLL_MS = 30_000;
const ANSWER_WITHIN_MS = 10_000;

const PHASES = { preparing: 'Preparing', ready: 'Ready', draining: 'Stopping' };

/** @type {StatusJson | undefined} */
let shown;
let shownAt = 0;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let nextPoll;
let failures = 0;
let isPaused = false;
let isAsking = false;

byId('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  setText('pause', isPaused ? 'Resume' : 'Pause');
  if (isPaused) setText('uptime', `paused at ${clockText(Date.now())}`);
  continuePolling();
});
document.addEventListener('visibilitychange', continuePolling);
new ResizeObserver(() => {
  if (shown !== undefined) showChart(shown);
}).observe(byId('chart'));
continuePolling();

/** Asks at once, unless nobody looks. */
function continuePolling() {
  clearTimeout(nextPoll);
  if (!isPaused && !document.hidden && !isAsking) void poll();
}

async function poll() {
  isAsking = true;
  const isAnswered = await ask();
  isAsking = false;
  if (isPaused || document.hidden || !isAnswered) return;
  nextPoll = setTimeout(continuePolling, Math.min(POLL_MS * 2 ** failures, SLOWEST_POLL_MS));
}

/** @returns {Promise<boolean>} Whether there is a reason to ask again. */
async function ask() {
  try {
    const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
    const answer = await fetch('v1/status', { headers: { accept: 'application/json' }, cache: 'no-store', signal });
    if (answer.status === 401) {
      showGone('The service does not accept this key any more. Reload the page to give another one.');
      return false;
    }
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    show(await answer.json());
    failures = 0;
  } catch {
    failures += 1;
    const since = shown === undefined ? '' : ` since ${clockText(shownAt)}; what is below is from then`;
    showGone(`No answer from the service${since}. Trying again.`);
  }
  return true;
}

/** @param {StatusJson} now */
function show(now) {
  shown = now;
  shownAt = Date.now();
  setBanner('gone', null);
  setBanner('problem', problemText(now));
  setText('phase', PHASES[now.phase]);
  byId('phase').dataset['phase'] = now.phase;
  setText('uptime', `up ${uptimeText(now.uptime_ms)}`);
  setText('version', `Version ${now.version}.`);
  document.title = now.phase === 'ready' ? 'Rootcellar' : `${PHASES[now.phase]} · Rootcellar`;
  byId('load').replaceChildren(...loadTiles(now));
  showChart(now);
  byId('latencies').replaceChildren(latencyTable(now));
  byId('images').replaceChildren(...imageList(now));
  byId('isolation').replaceChildren(...isolationView(now));
  showRuns(now);
  byId('main').removeAttribute('aria-busy');
  byId('main').classList.remove('stale');
}

/** @param {StatusJson} now */
function showChart(now) {
  byId('chart').replaceChildren(latencyChart(now.runs, byId('chart').clientWidth));
}

/** Keeps the place to which somebody has scrolled, and the focus. */
function showRuns(/** @type {StatusJson} */ now) {
  const before = byId('runs').firstElementChild;
  const hadFocus = before !== null && before === document.activeElement;
  const left = before?.scrollLeft ?? 0;
  const after = runTable(now);
  byId('runs').replaceChildren(after);
  after.scrollLeft = left;
  if (hadFocus) after.focus({ preventScroll: true });
}

/**
 * @param {StatusJson} now
 * @returns {string | null}
 */
function problemText({ problem, phase }) {
  if (problem !== null) return problem;
  if (phase === 'preparing') return 'The image is being prepared. Until it is there, requests are answered with 503.';
  return phase === 'draining' ? 'The service is stopping. It finishes what it has accepted.' : null;
}

/** @param {string} text */
function showGone(text) {
  setBanner('gone', text);
  setText('phase', 'No answer');
  byId('phase').dataset['phase'] = 'gone';
  document.title = 'No answer · Rootcellar';
  byId('main').classList.add('stale');
}

/**
 * @param {string} id
 * @param {string | null} text Null hides it.
 */
function setBanner(id, text) {
  byId(id).hidden = text === null;
  setText(id, text ?? '');
}

/**
 * Leaves alone what is the same: screen readers speak what changes.
 * @param {string} id
 * @param {string} text
 */
function setText(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}
