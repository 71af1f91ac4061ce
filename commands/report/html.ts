/** HTML in which every text is escaped, unless it is HTML itself. */
import { escapeMarkup } from "../markup";

/** A piece of HTML, made by `fillMarkup` alone. */
export class Html {
  constructor(readonly text: string) {}
}

/** What may stand in a piece of HTML; what is undefined is left out. */
export type Piece = Html | string | number | undefined | readonly Piece[];

/** A template: texts in it are escaped, in elements and in attributes with double quotes. */
export function fillMarkup(fixed: TemplateStringsArray, ...pieces: readonly Piece[]): Html {
  const texts = fixed.map((text, at) => text + textOf(pieces[at]));
  return new Html(texts.join(""));
}

function textOf(piece: Piece): string {
  if (piece === undefined) return "";
  if (piece instanceof Html) return piece.text;
  if (typeof piece === "object") return piece.map(textOf).join("");
  return escapeHtml(String(piece));
}

/** Control characters, which no document may hold, and those that turn the direction of a text, become visible. */
const escapeHtml = (text: string): string =>
  escapeMarkup(text.replace(/(?![\t\n\r])\p{Cc}|\p{Bidi_Control}/gu, "\ufffd"));
