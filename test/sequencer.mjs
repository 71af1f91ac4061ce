import Sequencer from "@jest/test-sequencer";

/**
 * Lab suites from the longest to the shortest, so that none of them begins when the others are over. Jest goes by the
 * times of earlier runs, and on a fresh machine by the size of the files, which says nothing about virtual machines.
 */
const LONGEST = ["backups", "changes", "lifecycle", "fleet", "privileges"].map(
  (name) => `lab/${name}.test.ts`,
);

const rank = ({ path }) => {
  const place = LONGEST.findIndex((end) => path.endsWith(end));
  return place === -1 ? LONGEST.length : place;
};

export default class LongestFirst extends Sequencer {
  sort(tests) {
    return [...super.sort(tests)].sort((a, b) => rank(a) - rank(b));
  }
}
