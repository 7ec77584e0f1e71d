'use strict';

/** @typedef {import('../status-json.ts').StatusJson} StatusJson */

const LANGUAGE_NAMES = { python3: 'Python', nodejs: 'JavaScript' };
const START_NAMES = { warm: 'Warm', forked: 'Forked', cold: 'Cold' };

/**
 * @param {StatusJson} now
 * @returns {readonly HTMLElement[]}
 */
function loadTiles({ load, pools, runs }) {
  const size = pools.reduce((sum, pool) => sum + pool.size, 0);
  const free = pools.reduce((sum, pool) => sum + pool.free, 0);
  const well = runs.filter((run) => run.status === 'ok').length;
  return [
    tile('Running', { value: load.running, of: load.capacity }),
    tile('Waiting', { value: load.queue_length, of: load.queue_capacity }),
    size === 0
      ? tile('Warm cells', { value: 0, note: 'kept: runs start cold' })
      : tile('Warm cells free', { value: free, of: size, style: 'good' }),
    runs.length === 0
      ? tile('Ended well', { value: '–', note: 'no run yet' })
      : tile('Ended well', { value: well, of: runs.length, note: `of the last ${runs.length} runs`, style: 'good' }),
  ];
}

/**
 * @param {string} name
 * @param {{ readonly value: number | string, readonly of?: number, readonly note?: string, readonly style?: string }} amount
 * `style`: `good` where more of it is better.
 * @returns {HTMLElement}
 */
function tile(name, { value, of, note, style = '' }) {
  const bar = element('div', { class: `bar ${style}`, 'aria-hidden': 'true' }, [element('div', {})]);
  if (typeof value === 'number' && of !== undefined && of > 0 && bar.firstElementChild instanceof HTMLElement) {
    bar.firstElementChild.style.width = `${Math.min(100, (100 * value) / of)}%`;
  }
  return element('div', { class: 'tile' }, [
    element('p', { class: 'muted' }, [name]),
    element('p', { class: 'value' }, [
      element('strong', {}, [String(value)]),
      element('span', { class: 'muted' }, [note ?? ` of ${of}`]),
    ]),
    bar,
  ]);
}

/**
 * @param {StatusJson} now
 * @returns {HTMLElement}
 */
function latencyTable({ latency }) {
  if (latency.length === 0) return element('p', { class: 'muted' }, ['Percentiles are here after the first run.']);
  return table({
    caption: 'Percentiles of the last thousand runs, by how their cell was started',
    head: [
      { content: 'Start' },
      { content: 'p50', style: 'number' },
      { content: 'p95', style: 'number' },
      { content: 'p99', style: 'number' },
      { content: 'Runs', style: 'number' },
    ],
    rows: latency.map(({ start, runs, ...percentiles }) => [
      { content: startName(start) },
      ...[percentiles.p50_ms, percentiles.p95_ms, percentiles.p99_ms].map((time) => ({
        content: durationText(time),
        style: 'number',
      })),
      { content: runs.toLocaleString(), style: 'number' },
    ]),
  });
}

/**
 * @param {StartKind} start
 * @returns {HTMLElement}
 */
function startName(start) {
  const mark = drawing('svg', { class: 'key', viewBox: '-6 -6 12 12', 'aria-hidden': 'true' }, [
    startMark(start, { x: 0, y: 0 }),
  ]);
  return element('span', { class: 'start' }, [mark, element('span', {}, [START_NAMES[start]])]);
}

/**
 * @param {StatusJson} now
 * @returns {readonly HTMLElement[]}
 */
function imageList({ images, pools, refreshes }) {
  if (images.length === 0) return [element('p', { class: 'muted' }, ['No image yet.'])];
  return images.map(({ name, digest, generation, languages }) => {
    const refresh = refreshes.find((one) => one.image === name);
    const pool = pools.find((one) => one.image === name && one.generation === generation);
    return element('dl', {}, [
      ...pair('Image', element('strong', {}, [name])),
      ...pair('Generation', String(generation)),
      // As `rootcellar images` writes it.
      ...pair('Digest', element('code', { title: digest }, [digest.slice('sha256:'.length).slice(0, 12)])),
      ...pair('Runs', languages.map((language) => LANGUAGE_NAMES[language]).join(', ')),
      ...pair('Warm cells', pool === undefined ? 'none' : `${pool.free} free of ${pool.size}`),
      ...(refresh === undefined ? [] : refreshPairs(refresh)),
    ]);
  });
}

const REFRESH_NAMES = {
  current: 'nothing new',
  switched: 'newer versions taken',
  kept: 'newer versions not taken',
  failed: 'failed',
};

/**
 * @param {string} at
 * @returns {HTMLElement}
 */
function momentOf(at) {
  return element('time', { datetime: at }, [new Date(at).toLocaleString()]);
}

/**
 * @param {StatusJson['refreshes'][number]} refresh
 * @returns {readonly HTMLElement[]}
 */
function refreshPairs({ last, next_at: next }) {
  return [
    ...pair(
      'Last refresh',
      last === null ? 'none yet' : element('span', {}, [momentOf(last.ended_at), `: ${REFRESH_NAMES[last.result]}`]),
    ),
    ...pair('Next refresh', next === null ? 'when asked' : momentOf(next)),
  ];
}

/**
 * @param {string} term
 * @param {Node | string} meaning
 * @returns {readonly HTMLElement[]}
 */
function pair(term, meaning) {
  return [element('dt', { class: 'muted' }, [term]), element('dd', {}, [meaning])];
}

/**
 * @param {StatusJson} now
 * @returns {readonly HTMLElement[]}
 */
function isolationView({ isolation }) {
  if (isolation === null) return [element('p', { class: 'muted' }, ['Known after the first run.'])];
  const { tier, layers, missing } = isolation;
  const lacking =
    missing.length === 0
      ? [element('p', { class: 'muted' }, ['Nothing is missing.'])]
      : [element('p', { class: 'missing-title' }, ['Missing on this host:']), layerList(missing, 'layers missing')];
  return [
    element('p', { class: 'tier' }, [element('strong', {}, [`Tier ${tier}`]), ` · ${layers.length} layers active`]),
    layerList(layers, 'layers'),
    ...lacking,
  ];
}

/**
 * @param {readonly string[]} names
 * @param {string} style
 * @returns {HTMLElement}
 */
function layerList(names, style) {
  return element(
    'ul',
    { class: style },
    names.map((name) => element('li', {}, [name])),
  );
}

/**
 * @param {StatusJson} now
 * @returns {HTMLElement}
 */
function runTable({ runs }) {
  if (runs.length === 0) return firstRunHint();
  const rows = runs.map((run) => [
    { content: element('time', { datetime: run.ended_at }, [clockText(run.ended_at)]), style: 'plain' },
    { content: run.status, style: run.status === 'ok' ? 'well' : 'unwell' },
    { content: startName(run.start) },
    { content: LANGUAGE_NAMES[run.language], style: 'second' },
    { content: durationText(run.queue_ms), style: 'number second' },
    { content: durationText(run.total_ms), style: 'number' },
    { content: deniedText(run), style: 'denied' },
    // A UUID's first part: enough to find it in the log.
    { content: element('span', { title: run.request_id }, [run.request_id.slice(0, 8)]), style: 'second request' },
  ]);
  const all = table({
    caption: 'Last runs, the newest first',
    head: [
      { content: 'Ended' },
      { content: 'Status' },
      { content: 'Start' },
      { content: 'Language', style: 'second' },
      { content: 'Waited', style: 'number second' },
      { content: 'Took', style: 'number' },
      { content: 'Denied', style: 'denied' },
      { content: 'Request', style: 'second' },
    ],
    rows,
  });
  return element('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': 'Table of the last runs' }, [
    all,
  ]);
}

/**
 * @param {RunJson} run
 * @returns {string}
 */
function deniedText({ denied }) {
  return denied
    .map(({ syscall, count }) => (count === 1 ? syscall : `${syscall}\u00a0×\u00a0${count.toLocaleString()}`))
    .join(', ');
}

/** @returns {HTMLElement} */
function firstRunHint() {
  const address = new URL('v1/run', document.baseURI).href;
  return element('div', {}, [
    element('p', { class: 'muted' }, ['No run yet. Send the first one:']),
    element('pre', { tabindex: '0' }, [
      `curl ${address} -H "X-Api-Key: $KEY" -H 'Content-Type: application/json' -d '{"code": "print(6 * 7)"}'`,
    ]),
  ]);
}
