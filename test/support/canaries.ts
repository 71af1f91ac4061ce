/**
 * Looks for secrets where they must not be. A lab's secrets are random texts that are nowhere else, so each is a canary: whoever
 * finds it has found the secret.
 */

/** A secret, and the text to look for. */
export interface Canary {
  readonly name: string;
  readonly text: string;
}

/** A canary in a place. */
export interface Found {
  readonly canary: string;
  readonly place: string;
}

/** A place in which a canary may be, and why. */
export interface Known {
  readonly canary: string;
  readonly place: RegExp;
  readonly why: string;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/** What a text is in the middle of another one that was encoded whole: it may begin at any of three places. */
function insideBase64(text: string): string[] {
  return [0, 1, 2].map((before) => {
    const whole = base64(" ".repeat(before) + text);
    // The first and the last digits also hold bits of what is beside it.
    return whole.slice(Math.ceil((before * 8) / 6), Math.floor(((before + text.length) * 8) / 6));
  });
}

/** The forms a secret is passed on in: as it is, within JSON, a URL or a header, and as hex digits. */
export function formsOf(text: string): string[] {
  const json = JSON.stringify(text).slice(1, -1);
  const hex = Buffer.from(text).toString("hex");
  return [...new Set([text, json, encodeURIComponent(text), ...insideBase64(text), hex])];
}

/** Names of the canaries that are in a text. */
export function canariesIn(text: string, canaries: readonly Canary[]): string[] {
  return canaries
    .filter((canary) => formsOf(canary.text).some((form) => text.includes(form)))
    .map(({ name }) => name);
}

/** What was found and is not known. */
export function unexplained(found: readonly Found[], known: readonly Known[]): Found[] {
  return found.filter(
    ({ canary, place }) => !known.some((one) => one.canary === canary && one.place.test(place)),
  );
}

/** What a node's root looks at. */
export interface Search {
  /** Seconds to watch the processes that run, and nothing else; default: everything, once. */
  readonly watch?: number;
  /** Folders whose file systems are searched; default: all that are mounted and keep files. */
  readonly roots?: readonly string[];
}

/**
 * A script for root of a node: looks for the canaries and prints a line for each find, the place and what was found with a tab
 * between them. It gets the canaries on standard input, with itself, so that no process shows them; the file with them is gone
 * afterwards.
 */
export function searchScript(
  canaries: readonly Canary[],
  { watch, roots = [MOUNTED] }: Search = {},
): string {
  const forms = canaries.flatMap(({ text }) => formsOf(text));
  return [
    FUNCTIONS,
    `cat >"$work/canaries" <<'CANARIES'\n${forms.join("\n")}\nCANARIES`,
    watch === undefined ? everywhere(roots) : watching(watch),
  ].join("\n");
}

const FUNCTIONS = String.raw`
umask 077
work=$(mktemp --directory --tmpdir="${"${TMPDIR:-/run}"}" docker-node-canaries.XXXXXX)
trap 'rm -rf "$work"' EXIT
search() { grep --text --fixed-strings --file="$work/canaries" "$@" 2>/dev/null || true; }
# find_in PLACE FILE
find_in() {
  search --only-matching "$2" | sort -u | while IFS= read -r text; do printf '%s\t%s\n' "$1" "$text"; done
}
# say PLACE: what is on standard input
say() { cat >"$work/text" && find_in "$1" "$work/text"; }
processes() {
  search --files-with-matches /proc/[0-9]*/cmdline /proc/[0-9]*/environ | while IFS= read -r file; do
    name=$(cat "${"${file%/*}"}/comm" 2>/dev/null) || continue
    find_in "${"${file##*/}"} of $name" "$file"
  done
}`;

const watching = (seconds: number): string => `
end=$((SECONDS + ${seconds}))
while ((SECONDS < end)); do processes; sleep 0.5; done | sort -u`;

/** On disks and in memory: `/run`, `/dev/shm`, a user's in `/run/user`. Containers' layers are below Docker's folder. */
const KEEPING = ["ext4", "xfs", "btrfs", "vfat", "tmpfs", "ramfs", "devtmpfs"];
const MOUNTED = `$(findmnt --noheadings --list --output TARGET --types ${KEEPING.join(",")})`;

/** A find crosses no file system: those of the kernel hold nothing. */
const everywhere = (roots: readonly string[]): string => `
processes
for one in $(docker ps --all --format '{{.Names}}'); do docker inspect "$one" | say "docker inspect $one"; done
for one in $(docker image ls --all --quiet --no-trunc | sort -u); do docker image history --no-trunc "$one" | say "docker image history"; done
journalctl --no-pager --all --output=export | say journal
find ${roots.join(" ")} -xdev -type f ! -path "$work/*" -print0 |
  xargs --null grep --files-with-matches --text --fixed-strings --file="$work/canaries" 2>/dev/null |
  sort -u | while IFS= read -r file; do find_in "$file" "$file"; done`;

/** What the script printed, with the canaries' names; the same find once. */
export function foundBy(output: string, canaries: readonly Canary[]): Found[] {
  const lines = [...new Set(output.split("\n").filter((line) => line.includes("\t")))];
  const found = lines.flatMap((line) => {
    const [place = "", text = ""] = line.split("\t");
    return canariesIn(text, canaries).map((canary) => ({ canary, place }));
  });
  const keys = found.map(({ canary, place }) => `${canary} ${place}`);
  return found.filter((_, at) => keys.indexOf(keys[at] ?? "") === at);
}
