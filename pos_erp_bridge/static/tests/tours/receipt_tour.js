import * as Chrome from "@point_of_sale/../tests/pos/tours/utils/chrome_util";
import * as Dialog from "@point_of_sale/../tests/generic_helpers/dialog_util";
import * as PaymentScreen from "@point_of_sale/../tests/pos/tours/utils/payment_screen_util";
import * as ProductScreen from "@point_of_sale/../tests/pos/tours/utils/product_screen_util";
import * as ReceiptScreen from "@point_of_sale/../tests/pos/tours/utils/receipt_screen_util";
import * as TicketScreen from "@point_of_sale/../tests/pos/tours/utils/ticket_screen_util";
import { registry } from "@web/core/registry";

function sell(...names) {
    return [
        Chrome.startPoS(),
        Dialog.confirm("Open Register"),
        ...names.map((name) => ProductScreen.clickDisplayedProduct(name)),
        ProductScreen.clickPayButton(),
        PaymentScreen.clickPaymentMethod("Cash"),
        PaymentScreen.clickValidate(),
        ReceiptScreen.isShown(),
    ];
}

/** Read the receipt: its words in this order, none of the others. */
function reads(words, without = [], look = () => {}) {
    return {
        content: `the receipt says ${words.join(", ")}`,
        trigger: ".receipt-screen .pos-receipt .receipt-total",
        run: () => {
            const receipt = document.querySelector(".receipt-screen .pos-receipt");
            const text = receipt.textContent.replace(/\s+/g, " ");
            let place = 0;
            for (const word of words) {
                const found = text.indexOf(word, place);
                if (found < 0) {
                    throw new Error(`"${word}" is missing, or earlier, in: ${text}`);
                }
                place = found + word.length;
            }
            for (const word of without) {
                if (text.includes(word)) {
                    throw new Error(`"${word}" must not stand in: ${text}`);
                }
            }
            look(receipt);
        },
    };
}

function nothingIsCutOff(receipt) {
    if (!receipt.classList.contains("bridge-receipt-58")) {
        throw new Error("the receipt is not laid out for 58 mm");
    }
    const { right } = receipt.getBoundingClientRect();
    for (const part of receipt.querySelectorAll("span, div")) {
        if (part.getBoundingClientRect().right > right + 1) {
            throw new Error(`cut off at 58 mm: ${part.textContent.trim()}`);
        }
    }
}

const RATES = ["5,608", "Subject to 10%", "5,500", "500", "Subject to 8%※", "108", "8", "※ marks goods"];

registry.category("web_tour.tours").add("bridge_receipt_registered", {
    steps: () =>
        [
            sell("緑茶", "セーター"),
            reads(
                ["Registration number T7000012050002", "Simplified qualified invoice", "緑茶※", "セーター", ...RATES],
                ["セーター※", "Tax ID"],
                nothingIsCutOff
            ),
            Chrome.endTour(),
        ].flat(2),
});

registry.category("web_tour.tours").add("bridge_receipt_unregistered", {
    steps: () =>
        [
            sell("緑茶", "セーター"),
            reads(["緑茶※", ...RATES], ["T7000012050002", "ualified", "Registration", "Tax ID"]),
            Chrome.endTour(),
        ].flat(2),
});

registry.category("web_tour.tours").add("bridge_receipt_return", {
    steps: () =>
        [
            sell("緑茶", "セーター"),
            ReceiptScreen.clickNextOrder(),
            ProductScreen.clickRefund(),
            TicketScreen.selectOrder("001"),
            ProductScreen.clickNumpad("1"),
            TicketScreen.toRefundTextContains("To Refund: 1"),
            TicketScreen.confirmRefund(),
            PaymentScreen.clickPaymentMethod("Cash"),
            PaymentScreen.clickValidate(),
            ReceiptScreen.isShown(),
            reads(
                ["Registration number T7000012050002", "Qualified return invoice", "Original supply 20", "緑茶※",
                 "Subject to 8%※", "108", "8", "※ marks goods"],
                ["Simplified", "セーター", "Subject to 10%"]
            ),
            Chrome.endTour(),
        ].flat(2),
});
