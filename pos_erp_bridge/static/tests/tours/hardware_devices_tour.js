// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import * as Chrome from "@point_of_sale/../tests/pos/tours/utils/chrome_util";
import * as PaymentScreen from "@point_of_sale/../tests/pos/tours/utils/payment_screen_util";
import * as ProductScreen from "@point_of_sale/../tests/pos/tours/utils/product_screen_util";
import * as ReceiptScreen from "@point_of_sale/../tests/pos/tours/utils/receipt_screen_util";
import {
    control,
    isClosed,
    isSold,
    isTold,
    machine,
    press,
    sees,
    sell,
    tour,
} from "@pos_erp_bridge/../tests/tours/hardware_util";
import { registry } from "@web/core/registry";

const TEA = "4901234567894";
const now = () => performance.timeOrigin + performance.now();
const pause = (time) => new Promise((resolve) => setTimeout(resolve, time));

async function until(look, what) {
    const limit = Date.now() + 20_000;
    while (!look()) {
        if (Date.now() > limit) {
            throw new Error(`${what}: not within 20 s`);
        }
        await pause(50);
    }
}

const isReady = {
    content: "the proxy tells of its scanner, and the till listens",
    trigger: ".bridge-proxy-status",
    run: async () => {
        await until(() => posmodel.bridgeDevices.state.health?.scanners.length, "the scanner");
        await pause(1000);
    },
};

/** When the order on the screen is another than before ``act``. */
async function shownAfter(act) {
    const order = document.querySelector(".order-container").parentElement;
    const before = order.textContent;
    const shown = new Promise((resolve) => {
        const observer = new MutationObserver(() => {
            const moment = now();
            if (order.textContent !== before) {
                observer.disconnect();
                resolve(moment);
            }
        });
        observer.observe(order, { childList: true, subtree: true, characterData: true });
    });
    await act();
    return shown;
}

/** Milliseconds from the moment a scanner reads until the page has the code, and until the order shows it. */
async function scanned(code) {
    const { bridgeDevices } = posmodel;
    const { onCode } = bridgeDevices;
    let heard;
    bridgeDevices.onCode = (found) => {
        heard = now();
        onCode(found);
    };
    const shown = await shownAfter(() => control(`scan/${code}`));
    bridgeDevices.onCode = onCode;
    const moment = Number(await control("moment"));
    return [heard - moment, shown - moment];
}

/** The same for a product that is pressed on the screen. */
async function pressed(name) {
    const product = [...document.querySelectorAll("article.product")].find((node) => node.innerText.includes(name));
    const start = now();
    return (await shownAfter(() => product.click())) - start;
}

const scan = (code) => ({ content: `scan ${code}`, trigger: "body", run: () => control(`scan/${code}`) });
const measure = (times) => ({
    content: "scan to line",
    trigger: ".order-container",
    run: async () => {
        for (let turn = 0; turn < times; turn++) {
            const [heard, shown] = await scanned(TEA);
            await pause(300);
            const press = await pressed("緑茶");
            await pause(300);
            await control(`took/${[heard, shown, press].map((time) => time.toFixed(1)).join(",")}`);
        }
    },
    timeout: 60000,
});
const refused = (text) => ({
    content: `refused: ${text}`,
    trigger: `.o_notification:contains("${text}")`,
    run: "click .o_notification_close",
});
const openStatus = { content: "how everything is", trigger: ".bridge-proxy-status", run: "click" };
const device = (name, text) => ({
    content: `${name}: ${text}`,
    trigger: `.bridge-devices tr:contains("${name}"):contains("${text}")`,
});

tour(
    "bridge_hardware_devices",
    isReady,
    scan(TEA),
    ProductScreen.selectedOrderlineHas("緑茶", "1", "110"),
    scan("0212345928752"), // 2875 yen, whose check digit is 9
    ProductScreen.selectedOrderlineHas("焼豚", "1", "2,875"),
    scan("0212345828755"),
    refused("does not fit its check digit"),
    scan("4901234567895"),
    refused("The check digit of the code 4901234567895 is wrong."),
    ProductScreen.clickDisplayedProduct("りんご"),
    { content: "what lies on the scale", trigger: ".gross-weight:contains('1.234')" },
    { content: "take it", trigger: ".modal .buy-product", run: "click" },
    ProductScreen.selectedOrderlineHas("りんご", "1.234"),
    ProductScreen.clickPayButton(),
    { content: "no sale", trigger: ".js_cashdrawer", run: "click" },
    { content: "a reason is asked", trigger: ".modal .toggle-button:contains('Counting')", run: "click" },
    press("Apply"),
    machine("drawer"),
    PaymentScreen.clickPaymentMethod("Cash"),
    PaymentScreen.clickValidate(),
    isSold,
    machine("papers/1"),
    openStatus,
    device("kitchen", "The printer refuses the connection. Is it on?"),
    device("receipt", "Ready"),
    device("hand", "Ready"),
    device("scale", "Ready"),
    press("Close"),
    isClosed,
    machine("kitchen"),
    isTold("厨房: It is printed."),
    machine("slips/1")
);

/** Timers of the page, counted while everything else happens. */
const beat = {
    content: "a heart",
    trigger: "body",
    run: () => {
        window.bridgeBeats = 0;
        window.bridgeBorn = Date.now();
        setInterval(() => window.bridgeBeats++, 50);
    },
};
const isAlive = {
    content: "it has been beating",
    trigger: "body",
    run: () => {
        const expected = (Date.now() - window.bridgeBorn) / 50;
        if (window.bridgeBeats < expected / 5) {
            throw new Error(`${window.bridgeBeats} beats of ${expected}: the page was frozen`);
        }
    },
};
const sellAgain = [ReceiptScreen.clickNextOrder(), sell];

tour(
    "bridge_hardware_flaps",
    isReady,
    beat,
    sell,
    machine("papers/1"),
    isClosed,
    machine("stop"),
    sellAgain,
    sees("The hardware proxy cannot be reached"),
    press("Continue"),
    isClosed,
    sellAgain,
    sees("The hardware proxy cannot be reached"),
    press("Continue"),
    isClosed,
    isAlive,
    { content: "the icon says so", trigger: ".bridge-proxy-status .text-danger", timeout: 20000 },
    machine("start"),
    machine("papers/3"),
    { content: "the icon is well", trigger: ".bridge-proxy-status .text-warning", timeout: 20000 },
    ReceiptScreen.clickNextOrder(),
    scan(TEA),
    ProductScreen.selectedOrderlineHas("緑茶", "1", "110"),
    isAlive
);

/** Milliseconds until the till says why there is no receipt: since it began to print, and since Validate. */
const measureWhy = {
    content: "why there is no receipt",
    trigger: ".payment-screen button.validation-button.next",
    run: async ({ anchor }) => {
        const { printer } = posmodel.hardwareProxy;
        const { printReceipt } = printer;
        let printing;
        printer.printReceipt = (receipt) => {
            printing = now();
            return printReceipt.call(printer, receipt);
        };
        const start = now();
        anchor.click();
        await until(() => document.querySelector(".modal")?.innerText.includes("Out of paper."), "the reason");
        printer.printReceipt = printReceipt;
        await control(`why/${[printing, start].map((moment) => (now() - moment).toFixed(0)).join(",")}`);
    },
    timeout: 30000,
};
const unpaid = [ProductScreen.clickDisplayedProduct("緑茶"), ProductScreen.clickPayButton(), PaymentScreen.clickPaymentMethod("Cash")];

tour(
    "bridge_hardware_speed",
    isReady,
    scan(TEA),
    ProductScreen.selectedOrderlineHas("緑茶", "1"),
    measure(30),
    machine("set/paper_end=true"),
    [1, 2, 3, 4, 5].flatMap(() => [unpaid, measureWhy, press("Continue"), ReceiptScreen.clickNextOrder()])
);

/** SHA-256 of the rows between the first and the last that are not white. */
async function digestOf({ body, width }) {
    const stream = new Blob([body]).stream().pipeThrough(new DecompressionStream("deflate"));
    const bits = new Uint8Array(await new Response(stream).arrayBuffer());
    const stride = width / 8;
    const isBlack = (byte) => byte !== 0;
    const first = Math.floor(bits.findIndex(isBlack) / stride);
    const last = Math.floor(bits.findLastIndex(isBlack) / stride);
    const digest = await crypto.subtle.digest("SHA-256", bits.slice(first * stride, (last + 1) * stride));
    return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

let drawn;
const click = (trigger) => ({ content: trigger, trigger, run: "click" });

registry.category("web_tour.tours").add("bridge_hardware_japanese", {
    steps: () =>
        [
            Chrome.startPoS(),
            click(".modal-footer .btn-primary"),
            {
                content: "what is drawn is kept in mind",
                trigger: ".product-screen",
                run: () => {
                    const { bridgeQueue } = posmodel;
                    const { add } = bridgeQueue;
                    bridgeQueue.add = (job) => {
                        drawn = job.kind ? drawn : job;
                        return add.call(bridgeQueue, job);
                    };
                },
            },
            ProductScreen.clickDisplayedProduct("緑茶"),
            click(".product-screen .pay-order-button"),
            click(".js_cashdrawer"),
            sees("ドロワーを開ける理由"),
            click(".modal .toggle-button:contains('両替')"),
            click(".modal-footer .btn-primary"),
            click(".paymentmethods .button.paymentmethod"),
            PaymentScreen.clickValidate(),
            isSold,
            { content: "the receipt", trigger: ".pos-receipt:contains('緑茶'):contains('合計')" },
            machine("papers/1"),
            { content: "sent", trigger: "body", run: async () => control(`drawn/${await digestOf(drawn)}`) },
            openStatus,
            device("プリンター: receipt", "使えます"),
            device("kitchen", "プリンターが接続を拒否しました"),
            device("スキャナー: hand", "使えます"),
            click(".modal-footer .btn-primary"),
            isClosed,
        ].flat(3),
});
