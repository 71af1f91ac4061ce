/** The style of every page: no font, picture or colour from elsewhere. */

/** Each text colour has a contrast of at least 4.5 to its background (WCAG AA), in both schemes. */
const LIGHT =
  "--back:#fff;--text:#1b1f24;--quiet:#57606a;--line:#d0d7de;--box:#f6f8fa;--link:#0550ae;--good:#116329;--bad:#a40e26;--unknown:#7d4e00";
const DARK =
  "--back:#14171a;--text:#e6e8ea;--quiet:#a9b1ba;--line:#3d444d;--box:#1e2227;--link:#79b8ff;--good:#5fd37f;--bad:#ff9c92;--unknown:#f0c05a";

/** A style sheet, one rule a line. */
export const STYLE = `
:root{color-scheme:light dark;${LIGHT}}
@media (prefers-color-scheme:dark){:root{${DARK}}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:72rem;padding:1rem;background:var(--back);color:var(--text);font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h1{font-size:1.6rem;line-height:1.2;margin:.5rem 0}
h2{font-size:1.2rem;border-bottom:1px solid var(--line);margin:2rem 0 .75rem}
a{color:var(--link)}
a:focus-visible{outline:3px solid var(--link);outline-offset:2px}
.good{color:var(--good)}
.bad{color:var(--bad);font-weight:600}
.unknown{color:var(--unknown)}
.none,.quiet{color:var(--quiet)}
nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.5rem;padding:0}
nav li{background:var(--box);border:1px solid var(--line);border-radius:.5rem;padding:.4rem .7rem}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(14rem,100%),1fr));gap:.5rem 1rem;margin:0}
dt{color:var(--quiet);font-size:.875rem}
dd{margin:0}
table{border-collapse:collapse;width:100%;margin:.75rem 0;font-size:.9375rem}
caption{text-align:start;font-weight:600;padding:.25rem 0}
th,td{text-align:start;vertical-align:top;padding:.35rem .6rem .35rem 0;border-bottom:1px solid var(--line)}
thead th{color:var(--quiet);font-weight:600;overflow-wrap:normal}
tbody th{font-weight:600}
svg{display:block;width:100%;max-width:34rem;height:auto;font:12px ui-monospace,monospace}
svg text{fill:var(--text)}
svg .quiet{fill:var(--quiet)}
svg rect{fill:var(--box);stroke:var(--quiet)}
svg path{fill:none;stroke:var(--quiet);stroke-width:1.5}
@media screen and (max-width:54rem){
thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
table,tbody,tr,th,td,caption{display:block}
tr{border-bottom:1px solid var(--line);padding:.4rem 0}
tbody th,td{border:0;padding:.1rem 0}
td:not(:empty)::before{content:attr(data-label) ": ";color:var(--quiet)}
}
@media print{
:root{color-scheme:light;${LIGHT}}
body{max-width:none;padding:0;font-size:10pt}
table{font-size:8pt}
thead th{overflow-wrap:anywhere}
h2,caption{break-after:avoid}
tr,svg,dl div{break-inside:avoid}
}
`;
