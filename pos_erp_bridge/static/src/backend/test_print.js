// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { ProxyClient } from "@pos_erp_bridge/pos/app/hardware/proxy_client";
import { deflate, pack } from "@pos_erp_bridge/pos/app/hardware/raster";
import { proxyText, reasonText } from "@pos_erp_bridge/pos/app/hardware/reasons";
import { _t } from "@web/core/l10n/translation";
import { formatDateTime } from "@web/core/l10n/dates";
import { uuid } from "@web/core/utils/strings";

const ROWS = 200;
const WAIT_S = 8;

/** A small page: a frame as wide as the paper, and who printed it when. */
function draw(width, lines) {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width, height: ROWS });
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, width, ROWS);
    context.fillStyle = "#000";
    context.lineWidth = 4;
    context.strokeRect(2, 2, width - 4, ROWS - 4);
    context.font = "28px sans-serif";
    context.textAlign = "center";
    lines.forEach((line, index) => context.fillText(line, width / 2, 50 + 48 * index, width - 24));
    return context.getImageData(0, 0, width, ROWS);
}

/**
 * Print a test page and say what came of it.
 * @param {{name: string, width: number}} printer as the proxy tells of it
 * @returns {{isGood: boolean, text: string}}
 */
export async function testPrint(orm, proxyId, printer) {
    const client = new ProxyClient(() => orm.call("bridge.hardware.proxy", "test_access", [[proxyId]]));
    const { name, width } = printer;
    const lines = [_t("Test print"), name, formatDateTime(luxon.DateTime.now())];
    try {
        const body = await deflate(pack(draw(width, lines), width));
        const job = { id: uuid(), kind: "test", width, rows: ROWS, printer: name, body };
        const { state, reason } = await client.put(job, WAIT_S);
        if (state === "printed") {
            return { isGood: true, text: _t("The test page is printed.") };
        }
        return { isGood: false, text: reasonText(reason) || _t("The test page is not printed yet.") };
    } catch (error) {
        return { isGood: false, text: proxyText(error, client.access?.url) };
    }
}
