// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import { BarcodeReader } from "@point_of_sale/app/services/barcode_reader_service";
import { sleep } from "@pos_erp_bridge/pos/app/hardware/sleep";
import { patch } from "@web/core/utils/patch";

const PAUSE_MS = [250, 5000];

patch(BarcodeReader.prototype, {
    /**
     * @override
     * Asks the proxy for codes, one question after the other. While it is not connected each question fails at once,
     * without ever leaving the queue of promises: unless there is a pause, nothing else runs in the page any more.
     */
    async waitForBarcode() {
        let pause = PAUSE_MS[0];
        while (this.remoteScanning) {
            const asked = Date.now();
            let barcode;
            try {
                barcode = await this.hardwareProxy.message("scanner");
                pause = PAUSE_MS[0];
            } catch {
                await sleep(pause);
                pause = Math.min(pause * 2, PAUSE_MS[1]);
                continue;
            }
            if (barcode && this.remoteScanning) {
                this.scan(barcode);
            } else if (Date.now() - asked < PAUSE_MS[0]) {
                await sleep(PAUSE_MS[0]); // it should have held the question until there is a code
            }
        }
        this.remoteActive = 0;
    },
});
