/** The elements that all parts of a page are made of. */
import { fillMarkup, type Html, type Piece } from "./html";
import type { Known } from "./model";
import type { Mark } from "./verdict";

const SIGNS: Readonly<Record<Mark, string>> = { good: "✓", bad: "✗", unknown: "?", none: "–" };
const WORDS: Readonly<Record<Mark, string>> = {
  good: "in order",
  bad: "needs action",
  unknown: "not known",
  none: "nothing to judge",
};

/** A mark with words, so that it needs no colour. */
export const sign = (mark: Mark, words: string = WORDS[mark]): Html =>
  fillMarkup`<span class="${mark}"><span aria-hidden="true">${SIGNS[mark]}</span> ${words}</span>`;

/** A section with its heading. */
export const makeSection = (id: string, title: string, content: Piece): Html =>
  fillMarkup`<section aria-labelledby="${id}">
    <h2 id="${id}">${title}</h2>
    ${content}
  </section>
`;

/** The content of a part, or why it is not known. */
export function ifKnown<T>(part: Known<T>, content: (value: T) => Piece): Piece {
  if ("reason" in part) return fillMarkup`<p>${sign("unknown", `not known: ${part.reason}`)}</p>`;
  return content(part.value);
}

/**
 * A table, or a sentence where it has no rows. The first cell of a row is its heading. On a narrow screen a row is a block; the
 * roles say that it stays a row.
 */
export function makeTable(
  caption: string,
  headers: readonly string[],
  rows: readonly (readonly Piece[])[],
): Html {
  if (rows.length === 0) return fillMarkup`<p>${caption}: none.</p>`;
  const head = headers.map((one) => fillMarkup`<th scope="col" role="columnheader">${one}</th>`);
  return fillMarkup`<table role="table">
    <caption>
      ${caption}
    </caption>
    <thead role="rowgroup">
      <tr role="row">
        ${head}
      </tr>
    </thead>
    <tbody role="rowgroup">
      ${rows.map((row) => tableRow(headers, row))}
    </tbody>
  </table>
`;
}

function tableRow(headers: readonly string[], [first, ...rest]: readonly Piece[]): Html {
  const cells = rest.map(
    (cell, at) => fillMarkup`<td role="cell" data-label="${headers[at + 1] ?? ""}">${cell}</td>`,
  );
  return fillMarkup`<tr role="row">
    <th scope="row" role="rowheader">${first}</th>
    ${cells}
  </tr>
`;
}

/** Names with their values. */
export const makePairs = (all: readonly (readonly [string, Piece])[]): Html =>
  fillMarkup`<dl>
    ${all.map(
      ([name, value]) =>
        fillMarkup`<div>
          <dt>${name}</dt>
          <dd>${value}</dd>
        </div>`,
    )}
  </dl>
`;

/** `2026-11-28 03:50 UTC` of an ISO time. */
export const makeTime = (iso: string): Html =>
  fillMarkup`<time datetime="${iso}">${iso.slice(0, 16).replace("T", " ")} UTC</time>`;
