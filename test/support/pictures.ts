/** Pictures of a page in a browser, and how they differ. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { boxFont } from "./box-font";
import type { Browser } from "./browser";

/** Draws every character as the same box, whatever fonts the machine has. The page's own policy lets no style be added but so. */
export async function useBoxes(browser: Browser): Promise<void> {
  const text = await browser.evaluate<string>("document.body.textContent");
  const labels = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz :";
  const font = boxFont(text + labels).toString("base64");
  await browser.evaluate(`(async () => {
    const font = new FontFace("box", Uint8Array.from(atob("${font}"), (one) => one.charCodeAt(0)));
    document.fonts.add(await font.load());
    const [style] = document.styleSheets;
    style.insertRule("*, *::before { font-family: box !important; font-weight: 400 !important }", style.cssRules.length);
    await document.fonts.ready;
  })()`);
}

/** The whole page, as PNG in base64. */
export async function takePicture(browser: Browser): Promise<string> {
  const { cssContentSize } = await browser.send<{
    cssContentSize: { width: number; height: number };
  }>("Page.getLayoutMetrics");
  const clip = { ...cssContentSize, x: 0, y: 0, scale: 1 };
  const how = { format: "png", captureBeyondViewport: true, clip };
  return (await browser.send<{ data: string }>("Page.captureScreenshot", how)).data;
}

/**
 * The share of pixels in which a picture differs visibly from the one in a file.
 * @throws Error when there is none yet; then it is written, for somebody to look at
 */
export async function compareWith(
  file: string,
  picture: string,
  browser: Browser,
): Promise<number> {
  if (!existsSync(file)) {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, Buffer.from(picture, "base64"));
    throw new Error(`${file} is new: look at it, and run the test again`);
  }
  return shareOf(readFileSync(file).toString("base64"), picture, browser);
}

/** Pictures of other sizes differ wholly. A channel may be off by what rounding does. */
export const shareOf = (one: string, other: string, browser: Browser): Promise<number> =>
  browser.evaluate(`(async () => {
    const [a, b] = await Promise.all(["${one}", "${other}"].map(async (text) => {
      const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
      const { width, height, ...rest } = await createImageBitmap(new Blob([bytes], { type: "image/png" }))
        .then((image) => ({ width: image.width, height: image.height, image }));
      const context = new OffscreenCanvas(width, height).getContext("2d");
      context.drawImage(rest.image, 0, 0);
      return { width, height, data: context.getImageData(0, 0, width, height).data };
    }));
    if (a.width !== b.width || a.height !== b.height) return 1;
    let different = 0;
    for (let at = 0; at < a.data.length; at += 4)
      if ([0, 1, 2].some((channel) => Math.abs(a.data[at + channel] - b.data[at + channel]) > 12)) different++;
    return different / (a.width * a.height);
  })()`);
