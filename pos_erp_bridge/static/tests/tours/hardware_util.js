// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import * as Chrome from "@point_of_sale/../tests/pos/tours/utils/chrome_util";
import * as Dialog from "@point_of_sale/../tests/generic_helpers/dialog_util";
import * as PaymentScreen from "@point_of_sale/../tests/pos/tours/utils/payment_screen_util";
import * as ProductScreen from "@point_of_sale/../tests/pos/tours/utils/product_screen_util";
import { registry } from "@web/core/registry";

/** Something happens, or is counted, on the shop's machine; the test that runs the tour does it. */
export async function control(action) {
    const limit = Date.now() + 20_000;
    for (;;) {
        // The till's service worker must not fetch it: the test would not see that.
        const answer = await fetch(`http://control.test/${action}?extension`);
        const text = await answer.text();
        if (answer.ok) {
            return text;
        }
        if (Date.now() > limit) {
            throw new Error(text);
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
    }
}

export const machine = (action) => ({
    content: `on the machine: ${action}`,
    trigger: "body",
    run: () => control(action),
});

export const openTill = [Chrome.startPoS(), Dialog.confirm("Open Register")];
export const isSold = { content: "sold", trigger: ".pos .receipt-screen", timeout: 30000 };
export const sell = [
    ProductScreen.clickDisplayedProduct("緑茶"),
    ProductScreen.clickPayButton(),
    PaymentScreen.clickPaymentMethod("Cash"),
    PaymentScreen.clickValidate(),
    isSold,
];
export const sees = (text) => ({ content: `a dialog says ${text}`, trigger: `.modal:contains("${text}")` });
export const isTold = (text) => ({
    content: `a notification says ${text}`,
    trigger: `.o_notification:contains("${text}")`,
    timeout: 20000, // the printer or the proxy may be asked again only in a while
});
export const press = (text) => ({
    content: `press ${text}`,
    trigger: `.modal-footer button:contains("${text}")`,
    run: "click",
});
export const isClosed = { content: "no dialog", trigger: "body:not(:has(.modal))" };
export const printAgain = { trigger: ".receipt-screen .button.print:not(:has(.fa-spin))", run: "click" };

export function tour(name, ...steps) {
    registry.category("web_tour.tours").add(name, { steps: () => [openTill, ...steps, Chrome.endTour()].flat(3) });
}
