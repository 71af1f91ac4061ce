import { tableRows } from "../../commands/table";

test("columns are as wide as their widest line, and nothing ends with spaces", () => {
  expect(
    tableRows([
      ["a", "bbb", "c"],
      ["aaa", "b"],
      ["", "", "d"],
    ]),
  ).toEqual(["a    bbb  c", "aaa  b", "          d"]);
});

test("a cell of several lines goes on below itself", () => {
  expect(
    tableRows([
      ["a", "one\nthe second", "x"],
      ["bb", "c"],
    ]),
  ).toEqual(["a   one         x\n    the second", "bb  c"]);
});

test("no rows give no lines, and an empty cell an empty line", () => {
  expect(tableRows([])).toEqual([]);
  expect(tableRows([[""]])).toEqual([""]);
});
