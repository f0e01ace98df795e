// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { getFontEmbedCSS } from "@point_of_sale/app/utils/html-to-image";

// The first that could be had of a face's files.
const FILE = /url\("data:[^"]+"\)(?: format\("[^"]*"\))?/;

let gathering;

async function gather() {
    const sheet = new CSSStyleSheet();
    await sheet.replace(await getFontEmbedCSS(document.body));
    return [...sheet.cssRules].flatMap(({ style }) => {
        const value = (name) => style.getPropertyValue(name);
        const family = value("font-family");
        const file = FILE.exec(value("src"))?.[0];
        const face = `font-family:${family};font-style:${value("font-style")};font-weight:${value("font-weight")}`;
        return file ? [{ family: plain(family), css: `@font-face{${face};src:${file}}` }] : [];
    });
}

const plain = (name) => name.trim().replace(/^["']|["']$/g, "");

/** The page's fonts: some dozens of files, read once, before somebody waits for a receipt. */
export function gatherFonts() {
    gathering ||= gather().catch((error) => {
        gathering = undefined;
        console.warn("receipts are drawn with the device's own fonts", error);
        return [];
    });
    return gathering;
}

/** What a picture of ``el`` must bring along of them. All would be many megabytes, to be read again for each picture. */
export async function fontsFor(el) {
    const faces = await gatherFonts();
    const nodes = [el, ...el.querySelectorAll("*")];
    const used = new Set(nodes.flatMap((node) => getComputedStyle(node).fontFamily.split(",").map(plain)));
    return faces
        .filter(({ family }) => used.has(family))
        .map(({ css }) => css)
        .join("\n");
}
