/**
 * What the other scripts of this page build with. All of them are classic scripts and share their names, as the page does
 * not load modules. Text is always put in as text: no word from the service can become markup.
 */
'use strict';

/**
 * @param {string} id Of an element that page.html has.
 * @returns {HTMLElement}
 */
function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`unreachable: page.html has no #${id}`);
  return found;
}

/**
 * @param {string} tag
 * @param {Readonly<Record<string, string>>} attributes
 * @param {readonly (Node | string)[]} [children]
 * @returns {HTMLElement}
 */
function element(tag, attributes, children = []) {
  return filled(document.createElement(tag), attributes, children);
}

/**
 * @param {string} tag
 * @param {Readonly<Record<string, string | number>>} attributes
 * @param {readonly (Node | string)[]} [children]
 * @returns {SVGElement}
 */
function drawing(tag, attributes, children = []) {
  return filled(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

/**
 * @template {Element} T
 * @param {T} node
 * @param {Readonly<Record<string, string | number>>} attributes
 * @param {readonly (Node | string)[]} children
 * @returns {T}
 */
function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/**
 * A table; the first cell of each row is its header.
 * @param {{ readonly caption: string, readonly head: readonly Cell[], readonly rows: readonly (readonly Cell[])[] }} parts
 * @returns {HTMLElement}
 */
function table({ caption, head, rows }) {
  return element('table', {}, [
    element('caption', { class: 'hidden' }, [caption]),
    element('thead', {}, [
      element(
        'tr',
        {},
        head.map((cell) => element('th', { scope: 'col', class: cell.style ?? '' }, [cell.content])),
      ),
    ]),
    element(
      'tbody',
      {},
      rows.map((cells) =>
        element(
          'tr',
          {},
          cells.map(({ content, style = '' }, index) =>
            index === 0
              ? element('th', { scope: 'row', class: style }, [content])
              : element('td', { class: style }, [content]),
          ),
        ),
      ),
    ),
  ]);
}

/** @typedef {{ readonly content: Node | string, readonly style?: string }} Cell */

/**
 * Three digits, in the unit that fits.
 * @param {number} milliseconds
 * @returns {string}
 */
function durationText(milliseconds) {
  const [value, unit] = milliseconds < 999.5 ? [milliseconds, 'ms'] : [milliseconds / 1000, 's'];
  const digits = value < 10 ? 2 : value < 100 ? 1 : 0;
  return `${value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${unit}`;
}

/**
 * The two largest units, such as `3 d 4 h`.
 * @param {number} milliseconds
 * @returns {string}
 */
function uptimeText(milliseconds) {
  const seconds = Math.floor(milliseconds / 1000);
  /** @type {readonly (readonly [number, string])[]} */
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first === -1 ? -1 : first)
    .slice(0, 2)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}

/**
 * @param {string | number} time
 * @returns {string} The time of day where this browser is, of 24 hours: short, and the same in every language.
 */
function clockText(time) {
  return new Date(time).toLocaleTimeString(undefined, {
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
  });
}
