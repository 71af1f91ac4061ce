import type { Rule } from "./log-options";

/* Texts of log-opts that Go parses when a container starts: with a wrong one, none does. */

/** What a tag may name after a dot: fields and methods of Info (moby 29, daemon/logger/loginfo.go). */
const FIELDS = new Set(
  [
    "Config ContainerID ContainerName ContainerEntrypoint ContainerArgs ContainerImageID ContainerImageName",
    "ContainerCreated ContainerEnv ContainerLabels LogPath DaemonName",
    "ExtraAttributes Hostname Command ID FullID Name ImageID ImageFullID ImageName",
  ].flatMap((line) => line.split(" ")),
);

/** Functions (moby, daemon/logger/templates; Go, text/template) and words of the language. */
const WORDS = new Set(
  [
    "json split join title lower upper pad truncate",
    "and or not len index slice html js urlquery print printf println call eq ne lt le gt ge",
    "if else end range with define template block break continue true false nil",
  ].flatMap((line) => line.split(" ")),
);

/** A template of Go for the name of a container's log, as far as its words tell. */
export const allowTag: Rule = (value) => {
  // A quote is closed before the action ends.
  const parts = value.split(/\{\{((?:"(?:\\.|[^"\\])*"|`[^`]*`|(?!\}\}).)*)\}\}/s);
  const actions = parts.filter((_, index) => index % 2 === 1);
  const texts = parts.filter((_, index) => index % 2 === 0);
  if (texts.some((text) => text.includes("{{"))) return "a template whose {{ has its }}";
  const wrong = actions.map(withoutTexts).flatMap((action) => findUnknown(action, actions));
  return wrong.length === 0
    ? undefined
    : `a template without ${wrong.join(", ")}; it may name .ID, .FullID, .Name, .Command, .ImageID, .ImageFullID, .ImageName, .Hostname, .DaemonName, .ContainerLabels and other fields of a container`;
};

/** An action without what it quotes, and without a comment. */
const withoutTexts = (action: string): string =>
  action.replace(/"(?:\\.|[^"\\])*"|`[^`]*`|'(?:\\.|[^'\\])+'/g, '""').replace(/\/\*.*?\*\//gs, "");

function findUnknown(action: string, all: readonly string[]): string[] {
  // There the dot is something else.
  const moves = all.some((one) => /^-?\s*(range|with|define|template|block)\b/.test(one));
  const fields = [...action.matchAll(/(?<![\w)])\.([A-Za-z_]\w*)/g)].map(([, name = ""]) => name);
  const words = [...action.matchAll(/(?<![\w.$])[A-Za-z_]\w*/g)].map(([word]) => word);
  return [
    ...fields.filter((name) => !moves && !FIELDS.has(name)).map((name) => `.${name}`),
    ...words.filter((word) => !WORDS.has(word)),
  ];
}

/**
 * A regular expression of Go, which has neither lookaround nor back-references (RE2). For the rest JavaScript is asked, which
 * knows neither Go's flags nor its quoting.
 */
export const allowExpression: Rule = (value) =>
  canCompile(value)
    ? undefined
    : "a regular expression of Go: its brackets closed, without lookaround and back-references";

function canCompile(text: string): boolean {
  const plain = text.replace(/\\\\/g, "x").replace(/\\Q.*?(?:\\E|$)/gs, "x");
  if (/(?<!\\)\(\?<?[=!]|\\[1-9](?![0-7])|\\k</.test(plain)) return false;
  const translated = plain
    .replace(/(?<!\\)\(\?P</g, "(?<")
    .replace(/(?<!\\)\(\?[imsU-]+:/g, "(?:")
    .replace(/(?<!\\)\(\?[imsU-]+\)/g, "");
  try {
    new RegExp(translated);
    return true;
  } catch {
    return false;
  }
}
