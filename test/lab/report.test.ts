/**
 * The pages of docker-node report in a real browser: contrast and names (axe), widths, keyboard, print, and pictures. In these every
 * character is a box, because fonts differ from machine to machine, and every text with them.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { nodePage } from "../../commands/report/node-page";
import { stackPage } from "../../commands/report/stack-page";
import { Browser } from "../support/browser";
import { compareWith, shareOf, takePicture, useBoxes } from "../support/pictures";
import { BAD, GOOD, STACK, UNKNOWN, hostile } from "../support/reports";

jest.setTimeout(10 * 60_000);

const LONG = hostile(BAD, "<b>a-name-without-an-end</b>".repeat(8));
const PAGES = {
  "the stack": stackPage(STACK),
  "a good node": nodePage(GOOD, STACK),
  "a bad node": nodePage(BAD, STACK),
  "an unknown node": nodePage(UNKNOWN, STACK),
  "a node of long names": nodePage(LONG, STACK),
} as const;
const NAMES = Object.keys(PAGES) as (keyof typeof PAGES)[];
const AXE = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

let folder: string;
let browser: Browser;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "docker-node-report-"));
  browser = await Browser.open();
});
afterAll(async () => {
  await browser.close();
  rmSync(folder, { recursive: true });
});

interface View {
  readonly width: number;
  readonly scheme?: "light" | "dark";
  readonly media?: "screen" | "print";
}

/** Opens a page as a device shows it; what it asked for beside itself. */
async function show(name: keyof typeof PAGES, view: View): Promise<string[]> {
  const { width, scheme = "light", media = "screen" } = view;
  const file = join(folder, "page.html");
  writeFileSync(file, PAGES[name]);
  const size = { width, height: 800, deviceScaleFactor: 1, mobile: false };
  await browser.send("Emulation.setDeviceMetricsOverride", size);
  const features = [{ name: "prefers-color-scheme", value: scheme }];
  await browser.send("Emulation.setEmulatedMedia", { media, features });
  return browser.visit(pathToFileURL(file).href);
}

/** What axe finds against WCAG 2.2 AA and its best practices, each with the elements. */
async function violations(): Promise<string[]> {
  await browser.evaluate(`${AXE};0`);
  return browser.evaluate(`axe.run(document, { preload: false }).then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ": " + html)))`);
}

const background = (): Promise<string> =>
  browser.evaluate("getComputedStyle(document.body).backgroundColor");

describe.each(NAMES)("%s", (name) => {
  test.each(["light", "dark"] as const)(
    "%s: axe finds nothing, nothing is loaded",
    async (scheme) => {
      for (const width of [360, 1200]) {
        expect(await show(name, { width, scheme })).toEqual([]);
        expect(await background()).toBe(
          scheme === "dark" ? "rgb(20, 23, 26)" : "rgb(255, 255, 255)",
        );
        expect(await violations()).toEqual([]);
      }
    },
  );

  test.each([
    { width: 360 },
    { width: 720 },
    { width: 1200 },
    // A4 and Letter between Chromium's margins, at 96 to the inch.
    { width: 718, media: "print" },
    { width: 740, media: "print" },
  ] as const)("%j: nothing lies beside the page", async (view) => {
    await show(name, view);
    const outside = await browser.evaluate<string[]>(`[...document.querySelectorAll("body *")]
      .filter((one) => one.closest("thead") === null || ${view.width} > 1000)
      .map((one) => [one, one.getBoundingClientRect()])
      .filter(([, { left, right, width }]) => width > 0 && (left < 0 || right > ${view.width}))
      .map(([one, { left, right }]) => one.outerHTML.slice(0, 80) + " " + left + " " + right)`);
    expect(outside).toEqual([]);
    expect(await browser.evaluate("document.documentElement.scrollWidth")).toBe(view.width);
  });

  test("Tab visits every link in order, and shows where it is", async () => {
    await show(name, { width: 360 });
    const links = await browser.evaluate<number>("document.links.length");
    for (let at = 0; at < links; at++) {
      for (const type of ["keyDown", "keyUp"])
        await browser.send("Input.dispatchKeyEvent", {
          type,
          key: "Tab",
          windowsVirtualKeyCode: 9,
        });
      const focused = `[[...document.links].indexOf(document.activeElement),
        getComputedStyle(document.activeElement).outlineStyle]`;
      expect(await browser.evaluate(focused)).toEqual([at, "solid"]);
    }
  });

  test("print: dark on white, in a dark scheme too", async () => {
    await show(name, { width: 718, scheme: "dark", media: "print" });
    expect(await background()).toBe("rgb(255, 255, 255)");
    expect(await browser.evaluate("getComputedStyle(document.body).color")).toBe("rgb(27, 31, 36)");
    const { data } = await browser.send<{ data: string }>("Page.printToPDF");
    expect(Buffer.from(data, "base64").subarray(0, 5).toString()).toBe("%PDF-");
  });
});

describe("pictures", () => {
  /** Of all pixels; the dots of a line may be drawn otherwise by another release of the browser. */
  const LIMIT = 0.002;
  const looksOf = async (name: keyof typeof PAGES, view: View): Promise<string> => {
    await show(name, view);
    await useBoxes(browser);
    return takePicture(browser);
  };

  test.each<[string, keyof typeof PAGES, View]>([
    ["stack-phone", "the stack", { width: 360 }],
    ["good-dark", "a good node", { width: 1200, scheme: "dark" }],
    ["bad-phone-dark", "a bad node", { width: 360, scheme: "dark" }],
    ["unknown-light", "an unknown node", { width: 1200 }],
    ["good-print", "a good node", { width: 718, media: "print" }],
  ])("%s is as somebody has seen it", async (file, name, view) => {
    const kept = join(__dirname, "../fixtures/report", `${file}.png`);
    const picture = await looksOf(name, view);
    expect(await compareWith(kept, picture, browser)).toBeLessThan(LIMIT);
  });

  test("of one page are the same; another colour or place is seen", async () => {
    const view: View = { width: 360 };
    const first = await looksOf("a good node", view);
    expect(await shareOf(first, await looksOf("a good node", view), browser)).toBe(0);
    const change = (rule: string) =>
      browser.evaluate(
        `document.styleSheets[0].insertRule("${rule}", document.styleSheets[0].cssRules.length)`,
      );
    await change("dt { color: red !important }");
    expect(await shareOf(first, await takePicture(browser), browser)).toBeGreaterThan(LIMIT);
    await change("h2 { margin-left: 3px }");
    expect(await shareOf(first, await takePicture(browser), browser)).toBeGreaterThan(LIMIT);
  });
});

test("axe would find a colour that is too faint", async () => {
  await show("a good node", { width: 360 });
  await browser.evaluate('document.documentElement.style.setProperty("--quiet", "#999")');
  expect((await violations()).join("\n")).toMatch(/^color-contrast: <dt>/m);
});

test("a wide screen has tables in rows, a narrow one in blocks that name their columns", async () => {
  const cells = `[...document.querySelectorAll("#containers ~ table tbody tr:first-child > *")]
    .map((one) => Math.round(one.getBoundingClientRect().top))`;
  await show("a good node", { width: 1200 });
  expect(new Set(await browser.evaluate<number[]>(cells)).size).toBe(1);
  await show("a good node", { width: 360 });
  expect(new Set(await browser.evaluate<number[]>(cells)).size).toBe(3);
  const label = `getComputedStyle(document.querySelector("#containers ~ table td"), "::before").content`;
  expect(await browser.evaluate(label)).toMatch(/^"State: /);
});

test("networks: every line begins at a network's box and ends at a container's", async () => {
  await show("a good node", { width: 360 });
  const drawn = `(() => {
    const boxes = [...document.querySelectorAll("svg rect")].map((one) => one.getBBox());
    const on = (x, { y }) => boxes.some((box) => x === box.x + (x < 200 ? box.width : 0)
      && y > box.y && y < box.y + box.height);
    return [...document.querySelectorAll("svg path")].map((one) =>
      [0, one.getTotalLength()].map((at) => one.getPointAtLength(at)).every((point) => on(Math.round(point.x), point)));
  })()`;
  expect(await browser.evaluate(drawn)).toEqual([true, true, true, true]);
  const spilt = `[...document.querySelectorAll("svg text")].filter((text) => {
    const box = text.getBBox();
    return ![...document.querySelectorAll("svg rect")].some((one) => {
      const { x, y, width, height } = one.getBBox();
      return box.x >= x && box.y >= y && box.x + box.width <= x + width && box.y + box.height <= y + height + 2;
    });
  }).map((one) => one.textContent)`;
  expect(await browser.evaluate(spilt)).toEqual([]);
});
