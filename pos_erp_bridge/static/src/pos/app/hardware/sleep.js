// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
export const sleep = (time) => new Promise((resolve) => setTimeout(resolve, time));
