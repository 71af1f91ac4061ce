/** A whole page: one file that loads nothing from elsewhere. */
import { createHash } from "node:crypto";
import { Html, fillMarkup, type Piece } from "./html";
import { STYLE } from "./style";

const STYLE_HASH = createHash("sha256").update(STYLE).digest("base64");

/** Nothing may be loaded, run or sent; the only style is the page's own. */
const POLICY = `default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'`;

/** @param navigation links of the page, shown below the heading */
export function makePage(title: string, navigation: Piece, content: Piece): string {
  return fillMarkup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8" />
<meta http-equiv="Content-Security-Policy" content="${new Html(POLICY)}" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<meta name="color-scheme" content="light dark" />
<meta name="referrer" content="no-referrer" />
<title>${title}</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
<main>
<h1>${title}</h1>
${navigation}
${content}</main>
</body>
</html>
`.text;
}
