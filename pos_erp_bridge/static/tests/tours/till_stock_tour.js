/* global posmodel */

import * as Chrome from "@point_of_sale/../tests/pos/tours/utils/chrome_util";
import * as Dialog from "@point_of_sale/../tests/generic_helpers/dialog_util";
import * as Order from "@point_of_sale/../tests/generic_helpers/order_widget_util";
import * as ProductScreen from "@point_of_sale/../tests/pos/tours/utils/product_screen_util";
import { registry } from "@web/core/registry";

/** A count on the server, as the user at this till: so many pieces of a product lie at a place now. */
async function count(productName, placeName, quantity) {
    const { orm } = posmodel.data;
    const [product] = await orm.searchRead("product.product", [["name", "=", productName]], ["id"], { limit: 1 });
    const [place] = await orm.searchRead("stock.location", [["complete_name", "=", placeName]], ["id"], { limit: 1 });
    const vals = { product_id: product.id, location_id: place.id, inventory_quantity: quantity };
    const context = { inventory_mode: true };
    const [quant] = await orm.create("stock.quant", [vals], { context });
    await orm.call("stock.quant", "action_apply_inventory", [[quant]], { context });
}

function row(name, quantity) {
    return {
        content: `${name} may sell ${quantity}`,
        trigger: `.section-bridge .bridge-row[data-name="${name}"] .bridge-quantity:contains(/^${quantity}$/)`,
    };
}

registry.category("web_tour.tours").add("bridge_till_stock", {
    steps: () =>
        [
            Chrome.startPoS(),
            Dialog.confirm("Open Register"),
            ProductScreen.clickInfoProduct("緑茶"),
            row("本店レジ", 4),
            row("銀座店", 7),
            row("オンライン", 0),
            {
                content: "somebody counts the shelf of the other store",
                trigger: ".section-bridge",
                run: async () => {
                    window.bridgePageIsTheSame = true;
                    await count("緑茶", "GNZ/Stock", 25);
                },
            },
            row("銀座店", 25),
            {
                content: "goods arrive at the web store",
                trigger: ".section-bridge",
                run: () => count("緑茶", "NET/Stock", 60),
            },
            row("オンライン", 60),
            {
                content: "nothing was loaded again",
                trigger: ".section-bridge",
                run: () => {
                    if (!window.bridgePageIsTheSame) {
                        throw new Error("the page was loaded again");
                    }
                },
            },
            Dialog.confirm("Close"),

            // A sold-out product is sold all the same; the till offers another one.
            {
                content: "the card says it is sold out",
                trigger: "article.product:contains('セーター') .bridge-sold-out",
            },
            ProductScreen.clickDisplayedProduct("セーター"),
            Order.hasLine({ withClass: ".selected", productName: "セーター", quantity: "1" }),
            {
                content: "what instead?",
                trigger: ".o_notification:contains('セーター is sold out here.') button:contains('What instead?')",
                run: "click",
            },
            {
                content: "it lies elsewhere",
                trigger: ".section-bridge-instead .bridge-places:contains('銀座店 2')",
            },
            {
                content: "take the alternative",
                trigger: ".section-bridge-instead .bridge-alternatives .bridge-take:contains('緑茶')",
                run: "click",
            },
            Dialog.isNot(),
            Order.hasLine({ withClass: ".selected", productName: "緑茶", quantity: "2" }),
            Order.doesNotHaveLine({ productName: "セーター" }),

            // Another colour of a shirt, from product info.
            ProductScreen.longPressProduct("シャツ"),
            {
                content: "another size is chosen, and is sold out",
                trigger: ".section-bridge-variants button:contains('L, 青'):contains('Sold out')",
                run: "click",
            },
            {
                content: "the same size in another colour is offered first",
                trigger: ".bridge-variants .bridge-take:first-child:contains('シャツ (L, 赤)')",
                run: "click",
            },
            Dialog.isNot(),
            Order.hasLine({ withClass: ".selected", productName: "シャツ", quantity: "1" }),
            Order.hasTotal("¥ 3,520"),
            Chrome.endTour(),
        ].flat(),
});
