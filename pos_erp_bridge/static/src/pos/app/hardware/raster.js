// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
/** From a receipt's picture to what a printer head burns: one bit per dot, and no grey. */

const THRESHOLD = 160; // of 255: what is darker is black; text is black with grey edges

/**
 * Rows of ``width`` dots, eight to a byte, the leftmost in the highest bit, 1 is black; white where no picture is.
 * @param {ImageData} image
 * @param {number} width a multiple of 8
 */
export function pack({ data, width: columns, height: rows }, width) {
    const stride = width >> 3;
    const bits = new Uint8Array(stride * rows);
    const dots = Math.min(columns, width);
    const limit = THRESHOLD << 8;
    for (let y = 0; y < rows; y++) {
        let from = y * columns * 4;
        const row = y * stride;
        for (let x = 0; x < dots; x++, from += 4) {
            if (data[from] * 77 + data[from + 1] * 151 + data[from + 2] * 28 < limit) {
                bits[row + (x >> 3)] |= 0x80 >> (x & 7);
            }
        }
    }
    return bits;
}

export async function deflate(bytes) {
    const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("deflate"));
    return new Uint8Array(await new Response(packed).arrayBuffer());
}
