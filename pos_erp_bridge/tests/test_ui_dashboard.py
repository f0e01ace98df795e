# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import json
from datetime import timedelta

from odoo import fields
from odoo.tests import HttpCase, TransactionCase, freeze_time, tagged

from ..connectors import registered

NOON = "2026-11-20 03:00:00"  # in Tokyo


def make_channel(env, name):
    return env["bridge.channel"].create({"name": name, "system": next(iter(sorted(registered())))})


def make_event(channel, external_id, **vals):
    return channel.env["bridge.event"].create(
        {
            "channel_id": channel.id, "company_id": channel.company_id.id, "stream": "sale", "external_version": "1",
            "external_id": external_id, "origin": "poll", "payload": "{}", **vals,
        }
    )


@tagged("post_install", "-at_install")
class TestDashboard(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env = cls.env(context={**cls.env.context, "tz": "Asia/Tokyo", "lang": "en_US"})
        cls.channel, cls.other = make_channel(cls.env, "Shops"), make_channel(cls.env, "Web")

    @freeze_time(NOON)
    def test_figures_of_a_channel(self):
        """Waiting, lag, failures, work items, stock and sales are counted per channel."""
        now = fields.Datetime.now()
        make_event(self.channel, "1", received_at=now - timedelta(seconds=192))
        make_event(self.channel, "2", received_at=now - timedelta(seconds=5), stream="product")
        make_event(self.channel, "3", state="failed", received_at=now - timedelta(hours=2))
        make_event(self.channel, "4", state="blocked", received_at=now - timedelta(hours=2))
        make_event(self.channel, "5", state="done", result="created", received_at=now - timedelta(hours=3, minutes=10))
        make_event(self.channel, "6", state="done", result="unchanged", received_at=now - timedelta(hours=3))
        yesterday = now - timedelta(hours=13)
        make_event(self.channel, "7", state="done", result="created", received_at=yesterday)
        self.env["bridge.work.item"].create(
            [
                {"channel_id": self.channel.id, "name": "x", "entity": "product", "external_id": str(i), "state": state}
                for i, state in enumerate(("open", "open", "done"))
            ]
        )
        store = self.env["bridge.store"].create({"channel_id": self.channel.id, "external_id": "1", "name": "Store"})
        products = self.env["product.product"].create([{"name": str(i), "is_storable": True} for i in range(4)])
        self.env["bridge.stock.level"].create(
            [
                {"channel_id": self.channel.id, "store_id": store.id, "product_id": product.id, "state": state}
                for product, state in zip(products, ("synced", "due", "held", "stale"), strict=True)
            ]
        )
        names = [
            "pending_count", "attention_count", "decide_count", "lag_seconds", "lag_text", "stock_due_count",
            "stock_problem_count", "sales_today", "last_sale_at",
        ]  # fmt: skip
        figures, nothing = (self.channel | self.other).read(names)
        figures.pop("id"), nothing.pop("id")
        self.assertEqual(
            figures,
            {
                "pending_count": 2, "attention_count": 2, "decide_count": 2, "lag_seconds": 192,
                "lag_text": "3 min 12 s",
                "stock_due_count": 2, "stock_problem_count": 1, "sales_today": 4,
                "last_sale_at": now - timedelta(seconds=192),
            },
        )  # fmt: skip
        self.assertEqual(
            nothing,
            {
                "pending_count": 0, "attention_count": 0, "decide_count": 0, "lag_seconds": 0, "lag_text": "0 s",
                "stock_due_count": 0, "stock_problem_count": 0, "sales_today": 0, "last_sale_at": False,
            },
        )  # fmt: skip

    @freeze_time(NOON)
    def test_sparkline_counts_by_local_hour(self):
        """Hours are the user's own; those to come have no value."""
        now = fields.Datetime.now()
        for i, hours in enumerate((0, 2, 2, 11)):
            make_event(self.channel, str(i), received_at=now - timedelta(hours=hours))
        (graph,) = json.loads(self.channel.sales_graph)
        self.assertEqual(
            [point["y"] for point in graph["values"]], [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1] + [None] * 11
        )

    def test_queries_do_not_grow_with_channels(self):
        """Many channels cost as many queries as one."""
        names = ["pending_count", "decide_count", "sales_today", "last_sale_at"]
        many = self.env["bridge.channel"].concat(*(make_channel(self.env, str(i)) for i in range(8)))
        counts = []
        for channels in (self.channel, many):
            self.env.invalidate_all()
            channels.mapped("name")
            before = self.env.cr.sql_log_count
            channels.read(names)
            counts.append(self.env.cr.sql_log_count - before)
        self.assertEqual(*counts)

    def test_next_step_of_the_set_up(self):
        """The form says what to do next, from credentials to going live."""
        channel = self.channel
        required = channel.setting_ids.filtered("is_required")
        required.value = False
        self.assertIn(required[0].label, channel.setup_hint)
        required.value = "x"
        self.assertIn("Check the connection", channel.setup_hint)
        store = self.env["bridge.store"].create({"channel_id": channel.id, "external_id": "1", "name": "Ginza"})
        channel.invalidate_recordset(["setup_hint"])
        self.assertIn("Ginza", channel.setup_hint)
        store.location_id = self.env["stock.warehouse"].search([], limit=1).lot_stock_id
        store.pos_config_id = self.env["pos.config"].create({"name": "Till"})
        self.assertIn("rehearse", channel.setup_hint)
        channel.state = "live"
        self.assertFalse(channel.setup_hint)

    def test_buttons_lead_to_the_channels_own_records(self):
        """Every link of a card opens a list narrowed to its channel, with filters that exist."""
        for name in (
            "events", "pending", "attention", "sales", "work_items", "bindings", "stock", "stock_due", "stock_problems",
        ):  # fmt: skip
            with self.subTest(button=name):
                action = getattr(self.channel, f"action_open_{name}")()
                model = self.env[action["res_model"]]
                model.search(action["domain"])
                arch = model.get_view(action["search_view_id"] and action["search_view_id"][0], "search")["arch"]
                for key in action["context"]:
                    if key.startswith("search_default_"):
                        self.assertIn(f'name="{key.removeprefix("search_default_")}"', arch)


@tagged("post_install", "-at_install")
class TestScreens(HttpCase):
    def test_dashboard_and_event_in_a_browser(self):
        """The dashboard draws its cards and an event its payload, without an error in the browser."""
        channel = make_channel(self.env, "Browser shop")
        event = make_event(channel, "B-1", payload='{"total": "1080"}', state="failed", message="1 yen too much")
        self.browser_js(
            "/odoo/bridge",
            "console.log('test successful')",
            "[...document.querySelectorAll('.o_bridge_figures')].length"
            " && document.querySelector('.o_bridge_dashboard').textContent.includes('Browser shop')",
            login="admin",
        )
        self.browser_js(
            f"/odoo/bridge-events/{event.id}",
            "console.log('test successful')",
            "(document.querySelector('.o_bridge_payload')?.textContent || '').includes('\"total\": \"1080\"')"
            " && document.querySelector('.o_form_sheet').textContent.includes('1 yen too much')",
            login="admin",
        )
