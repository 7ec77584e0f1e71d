'use strict';

/** @typedef {import('../status-json.ts').RunJson} RunJson */
/** @typedef {RunJson['start']} StartKind */

/** How many runs the chart has room for: as many as the service remembers. */
const CHART_RUNS = 100;
const CHART_HEIGHT = 230;
const CHART_MARGIN = { left: 52, right: 10, top: 10, bottom: 10 };

/**
 * The durations of runs, one mark each, on a logarithmic scale.
 * @param {readonly RunJson[]} runs The newest first.
 * @param {number} width In pixels; drawn at this size, so that words keep theirs.
 * @returns {SVGElement}
 */
function latencyChart(runs, width) {
  const times = runs.map((run) => run.total_ms);
  const scale = decadeScale(times);
  const step = (width - CHART_MARGIN.left - CHART_MARGIN.right) / CHART_RUNS;
  const marks = runs.slice(0, CHART_RUNS).map((run, index) => {
    const x = width - CHART_MARGIN.right - step * (index + 0.5);
    return startMark(run.start, { x, y: scale.y(run.total_ms), run });
  });
  const label =
    times.length === 0
      ? 'No run yet'
      : `Duration of the last ${times.length} runs on a logarithmic scale, from ${durationText(Math.min(...times))} to ${durationText(Math.max(...times))}. The table has percentiles.`;
  return drawing(
    'svg',
    { viewBox: `0 0 ${width} ${CHART_HEIGHT}`, width, height: CHART_HEIGHT, role: 'img', 'aria-label': label },
    [...scale.decades.flatMap((decade) => gridLine(decade, { y: scale.y(decade), width })), ...marks.toReversed()],
  );
}

/**
 * From the decade below all times to a little above them, at least one decade; to 100 ms where there are none.
 * @param {readonly number[]} times
 * @returns {{ readonly decades: readonly number[], readonly y: (milliseconds: number) => number }}
 */
function decadeScale(times) {
  const logarithms = times.map((time) => Math.log10(Math.max(time, 0.1)));
  const low = times.length === 0 ? 0 : Math.floor(Math.min(...logarithms));
  const high = times.length === 0 ? 2 : Math.max(Math.max(...logarithms) + 0.05, low + 1);
  const room = CHART_HEIGHT - CHART_MARGIN.top - CHART_MARGIN.bottom;
  return {
    decades: Array.from({ length: Math.floor(high - low) + 1 }, (_, index) => 10 ** (low + index)),
    y: (milliseconds) => CHART_MARGIN.top + (room * (high - Math.log10(Math.max(milliseconds, 0.1)))) / (high - low),
  };
}

/**
 * @param {number} decade
 * @param {{ readonly y: number, readonly width: number }} place
 * @returns {readonly SVGElement[]}
 */
function gridLine(decade, { y, width }) {
  const text = decade < 1000 ? `${decade} ms` : `${decade / 1000} s`;
  return [
    drawing('line', { x1: CHART_MARGIN.left, x2: width, y1: y, y2: y, class: 'grid' }),
    drawing('text', { x: CHART_MARGIN.left - 8, y: y + 4, 'text-anchor': 'end' }, [text]),
  ];
}

/**
 * Each way to start has a shape of its own, for eyes that do not see its colour; a run that did not end well is hollow.
 * @param {StartKind} start
 * @param {{ readonly x: number, readonly y: number, readonly run?: RunJson }} place
 * @returns {SVGElement}
 */
function startMark(start, { x, y, run }) {
  const isWell = run === undefined || run.status === 'ok';
  const title = run === undefined ? [] : [drawing('title', {}, [runTitle(run)])];
  const attributes = {
    class: `mark ${start}${isWell ? '' : ' hollow'}`,
    transform: `translate(${x.toFixed(1)} ${y.toFixed(1)})`,
  };
  if (start === 'warm') return drawing('circle', { ...attributes, r: 3.6 }, title);
  const outline = start === 'forked' ? 'M0 -4.8L4.8 0L0 4.8L-4.8 0Z' : 'M-3.4 -3.4H3.4V3.4H-3.4Z';
  return drawing('path', { ...attributes, d: outline }, title);
}

/**
 * @param {RunJson} run
 * @returns {string}
 */
function runTitle(run) {
  return `${durationText(run.total_ms)}, ${run.start}, ${run.status}, at ${clockText(run.ended_at)}`;
}
