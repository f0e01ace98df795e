import { ProductInfoPopup } from "@point_of_sale/app/components/popups/product_info_popup/product_info_popup";
import { BridgeStock } from "@pos_erp_bridge/pos/app/components/bridge_stock/bridge_stock";

ProductInfoPopup.components = { ...ProductInfoPopup.components, BridgeStock };
