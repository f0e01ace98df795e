"""The demo's map: which store is on which system, and where its goods lie. Plain data, used by all parts."""

import os
from dataclasses import dataclass

COMPANY = ("デモ商店株式会社", "Demo Shoten Co., Ltd.")
REGISTRATION = "T9999999999999"  # the check digit is right, the company is nobody's


@dataclass(frozen=True)
class Store:
    key: str  # name of its place in the warehouse
    name: str
    name_en: str
    system: str = ""  # "" for Odoo's own till
    external_id: str = ""


GINZA = Store("GINZA", "銀座店", "Ginza store", "smaregi", "1")
UMEDA = Store("UMEDA", "梅田店", "Umeda store", "smaregi", "2")
HONTEN = Store("HONTEN", "本店", "Main store")
WEB = Store("WEB", "オンラインストア", "Online store", "shopify", "501")
STORES = (GINZA, UMEDA, HONTEN, WEB)
PLACES = (GINZA, UMEDA, HONTEN)  # those with goods of their own; the web store sells all of them

CHANNELS = {  # system: (name, English)
    "smaregi": ("スマレジ(銀座・梅田)", "Smaregi (Ginza, Umeda)"),
    "shopify": ("Shopify オンラインストア", "Shopify online store"),
}
PORTS = {  # what: (environment variable, default)
    "smaregi": ("BRIDGE_SMAREGI_PORT", 18081),
    "shopify": ("BRIDGE_SHOPIFY_PORT", 18082),
    "control": ("BRIDGE_DEMO_PORT", 18080),
    "proxy": ("BRIDGE_PROXY_PORT", 18083),
    "printer": ("BRIDGE_PRINTER_PORT", 18084),
    "paper": ("BRIDGE_PAPER_PORT", 18085),
}
CARD = "クレジットカード"
CARD_CODES = {"smaregi": ("credit",)}  # what the channel calls it
SECRETS = {"smaregi": "demo-shared-header", "shopify": "demo-hmac-secret"}

USERS = (  # login (also the password), name, group of the bridge
    ("manager", "店長 高橋", "group_bridge_manager"),
    ("user", "担当 伊藤", "group_bridge_user"),
    ("auditor", "監査 渡辺", "group_bridge_auditor"),
)


def port(name):
    variable, default = PORTS[name]
    return int(os.environ.get(variable) or default)
