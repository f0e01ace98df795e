# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from lxml import etree

from odoo.exceptions import AccessError
from odoo.service.model import call_kw
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from ..connectors import registered
from .samples import make_samples

GROUPS = ("auditor", "user", "manager", "administrator")
# The wiring inside: credentials for system administrators, and rows only the lanes look at.
INTERNAL = {"bridge.channel.setting", "bridge.touch", "bridge.gate", "bridge.agreement.look"}
CREDENTIALS = {
    "bridge.channel": ("token", "setting_ids", "webhook_url"),
    "bridge.channel.setting": ("value", "shown_value"),
    "bridge.hardware.proxy": ("secret", "offered_secret"),
    "bridge.hardware.job": ("body",),
}


@tagged("post_install", "-at_install")
class TestSecurity(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.users = {
            group: new_test_user(cls.env, f"bridge_{group}", f"base.group_user,pos_erp_bridge.group_bridge_{group}")
            for group in GROUPS
        }
        cls.system = next(iter(sorted(registered())))
        cls.channel = cls.make_channel(cls.env.company)
        proxy = cls.env["bridge.hardware.proxy"].search([("company_id", "=", cls.env.company.id)], limit=1)
        till = cls.env["pos.config"].create({"name": "Till", "bridge_proxy_id": proxy.id})
        cls.env["bridge.hardware.job"].create({"proxy_id": proxy.id, "config_id": till.id, "job": "job-00001"})

    @classmethod
    def make_channel(cls, company):
        """A channel with one record of nearly everything that hangs on it."""
        env = cls.env(context={**cls.env.context, "allowed_company_ids": company.ids}, su=True)
        channel = env["bridge.channel"].create({"name": company.name, "system": cls.system, "company_id": company.id})
        store = env["bridge.store"].create({"channel_id": channel.id, "external_id": "1", "name": "Store"})
        product = env["product.product"].create({"name": "Tea", "is_storable": True})
        event = env["bridge.event"].create(
            {
                "channel_id": channel.id,
                "company_id": company.id,
                "stream": "sale",
                "external_id": "1",
                "external_version": "1",
                "origin": "poll",
                "payload": '{"total": 1}',
                "state": "waiting",
            }
        )
        env["bridge.work.item"].create(
            {
                "channel_id": channel.id,
                "name": "Tea",
                "entity": "product",
                "external_id": "9",
                "candidate_ids": product.ids,
                "event_ids": event.ids,
            }
        )
        env["bridge.binding"]._bind(channel, "product", [("8", product)])
        env["bridge.watermark"].create({"channel_id": channel.id, "stream": "sale"})
        env["bridge.stock.level"].create({"channel_id": channel.id, "store_id": store.id, "product_id": product.id})
        run = env["bridge.rehearsal"].create({"channel_id": channel.id})
        env["bridge.rehearsal.line"].create(
            {"rehearsal_id": run.id, "stream": "sale", "external_id": "1", "status": "book", "event_id": event.id}
        )
        env["bridge.closing"].create({"channel_id": channel.id, "store_id": store.id, "business_date": "2026-11-20"})
        delivery = env["stock.warehouse"].search([("company_id", "=", company.id)], limit=1).out_type_id
        picking = env["stock.picking"].create({"picking_type_id": delivery.id})
        env["bridge.parcel"].create({"channel_id": channel.id, "picking_id": picking.id})
        make_samples(env, store, product)
        cls.make_proposals(env, company, product)
        return channel

    @classmethod
    def make_proposals(cls, env, company, product):
        """What hangs on a company's places rather than on a channel."""
        warehouse = env["stock.warehouse"].search([("company_id", "=", company.id)], limit=1)
        warehouse = warehouse or env["stock.warehouse"].create({"company_id": company.id})
        stock = warehouse.lot_stock_id
        shelf = env["stock.location"].create({"name": "Shelf", "location_id": stock.id, "company_id": company.id})
        common = {"company_id": company.id, "product_id": product.id}
        env["bridge.velocity"].create({**common, "location_id": stock.id, "sold": 28, "days": 28, "per_day": 1})
        ways = {"from_location_id": stock.id, "to_location_id": shelf.id, "quantity": 1}
        env["bridge.transfer.proposal"].create({**common, **ways})
        env["bridge.reorder.proposal"].create({**common, "location_id": stock.id, "min_qty": 1, "max_qty": 2})
        places = {"location_id": shelf.id, "home_location_id": stock.id}
        env["bridge.inspection"].create({**common, **places, "quantity": 1})
        address = {"url": "http://127.0.0.1:8069", "company_id": company.id}
        env["bridge.hardware.proxy"].create({"name": company.name, **address})
        if company.chart_template:  # without accounts there is no till
            till = env["pos.config"].create({"name": "Till", "company_id": company.id})
            row = {"config_id": till.id, "user_id": env.uid, "moment": "2026-11-20", "client_id": f"id-{company.id}"}
            env["bridge.drawer.log"].create({**row, "reason": "no_sale", "outcome": "opened"})

    def models(self):
        """Our models that have a table."""
        for name, model in sorted(self.env.registry.items()):
            if name.startswith("bridge.") and not model._abstract and not model._transient:
                yield self.env[name]

    # -- rules -----------------------------------------------------------------------------------
    def test_every_model_of_a_company_has_a_rule(self):
        """Whatever knows its company is hidden from the others by a record rule."""
        ruled = self.env["ir.rule"].search([("domain_force", "like", "company_id"), ("groups", "=", False)]).model_id
        without = [m._name for m in self.models() if "company_id" in m._fields and m._name not in ruled.mapped("model")]
        self.assertEqual(without, [])

    def test_other_companies_are_invisible(self):
        """Nobody sees a record of a company he does not work in."""
        other = self.make_channel(self.env["res.company"].create({"name": "Other"}))
        for model in self.models():
            if "channel_id" not in model._fields and model._name != "bridge.channel":
                continue
            field = "id" if model._name == "bridge.channel" else "channel_id"
            domain = [(field, "=", other.id)]
            for group, user in self.users.items():
                with self.subTest(model=model._name, group=group):
                    mine = model.with_user(user)
                    if mine.has_access("read"):
                        self.assertFalse(mine.search_count(domain))

    # -- access ----------------------------------------------------------------------------------
    def test_who_may_what(self):
        """Every group reads all; an auditor changes nothing; nobody but an administrator deletes channels."""
        for model in self.models():
            if model._name in INTERNAL:
                continue
            for group, user in self.users.items():
                with self.subTest(model=model._name, group=group):
                    self.assertTrue(model.with_user(user).has_access("read"))
            auditor = model.with_user(self.users["auditor"])
            for operation in ("write", "create", "unlink"):
                with self.subTest(model=model._name, operation=operation):
                    self.assertFalse(auditor.has_access(operation))
        channels = self.env["bridge.channel"]
        self.assertEqual(
            [channels.with_user(user).has_access("unlink") for user in self.users.values()], [False, False, False, True]
        )
        self.assertEqual(
            [channels.with_user(user).has_access("write") for user in self.users.values()], [False, False, True, True]
        )

    def test_what_is_decided_is_written_by_buttons_only(self):
        """Readonly fields of rows that people may change are refused to whoever calls the server himself."""
        names = {model._name for model in self.models() if isinstance(model, self.env.registry["bridge.readonly"])}
        self.assertEqual(
            names, {"bridge.inspection", "bridge.mismatch", "bridge.shortage", "bridge.tally", "bridge.tally.line"}
        )
        written = {"state", "decided_by_id", "decided_at", "result_picking_id", "closed", "missing", "held", "move_id"}
        for name in sorted(names):
            model = self.env[name]
            fields = [f.name for f in model._fields.values() if f.readonly and f.store and f.name != "id"]
            self.assertTrue(written & set(fields))
            for group in ("user", "manager", "administrator"):
                mine = model.search([], limit=1).with_env(self.env(user=self.users[group], su=False))
                for field in fields:
                    with self.subTest(model=name, group=group, field=field):
                        with self.assertRaisesRegex(AccessError, "Use the buttons|not allowed"):
                            call_kw(mine, "write", [mine.ids, {field: False}], {})
                        with self.assertRaisesRegex(AccessError, "Use the buttons|not allowed"):
                            call_kw(mine, "create", [{field: False}], {})

    def test_no_access_without_a_group(self):
        """An employee without any of our groups reads none of it."""
        user = new_test_user(self.env, "bridge_nobody", "base.group_user")
        open_to_all = [model._name for model in self.models() if model.with_user(user).has_access("read")]
        self.assertEqual(open_to_all, [])

    def test_credentials_are_for_system_administrators(self):
        """Tokens and settings cannot be read by our own groups, by whatever way."""
        for name, fields in CREDENTIALS.items():
            for field in fields:
                for group, user in self.users.items():
                    with self.subTest(field=f"{name}.{field}", group=group):
                        model = self.env[name].with_user(user)
                        self.assertFalse(model._has_field_access(model._fields[field], "read"))
        channel = self.channel.with_user(self.users["administrator"])
        for field in CREDENTIALS["bridge.channel"]:
            with self.assertRaises(AccessError):
                channel.read([field])
        self.assertNotIn(self.channel.token, f"{self.channel.display_name} {channel.read()}")

    def test_secrets_are_masked_even_for_the_system_administrator(self):
        """What was stored as a secret is never sent to a browser again; the mask does not overwrite it."""
        row = self.channel.setting_ids.filtered("is_secret")[:1]
        row.value = "hush"
        self.assertNotIn("hush", str(row.web_read({"shown_value": {}, "label": {}, "display_name": {}})))
        row.shown_value = row.MASK
        self.assertEqual(row.value, "hush")
        row.shown_value = "new"
        self.assertEqual(row.value, "new")

    # -- doing -----------------------------------------------------------------------------------
    def test_administrator_makes_a_channel(self):
        """A bridge administrator who is no system administrator makes, maps and starts a channel."""
        env = self.env(user=self.users["administrator"], su=False)
        with Form(env["bridge.channel"]) as form:
            form.name, form.system = "New", self.system
        channel = form.record
        self.assertTrue(channel.sudo().setting_ids, "the connector's settings are laid out")
        self.assertTrue(channel.sudo().token)
        store = env["bridge.store"].create({"channel_id": channel.id, "external_id": "1", "name": "Store"})
        till = self.env["pos.config"].create({"name": "Till"}) if channel.kind == "till" else None
        with Form(channel) as form, form.store_ids.edit(0) as line:
            line.location_id = env["stock.warehouse"].search([], limit=1).lot_stock_id
            if till:
                line.pos_config_id = till.with_env(env)
        self.assertTrue(store._is_ready())
        self.assertTrue(channel.setup_hint)
        channel.action_rehearse()
        self.assertEqual(channel.state, "rehearse")
        channel.action_go_live()
        channel.action_poll_now()
        channel.action_pause()
        channel.unlink()

    def test_user_decides_and_manager_retries(self):
        """A user decides mappings; what waited is tried again though he may not touch events himself."""
        product = self.env["product.product"].search([("name", "=", "Tea")], limit=1)
        item = self.env["bridge.work.item"].search([("channel_id", "=", self.channel.id)])
        event = item.event_ids
        with self.assertRaises(AccessError):
            event.with_user(self.users["user"]).action_set_aside()
        as_user = item.with_user(self.users["user"])
        product.with_user(self.users["user"]).with_context(bridge_work_item_id=item.id).action_bridge_choose()
        self.assertEqual((as_user.state, event.state), ("done", "pending"))
        event.with_user(self.users["manager"]).action_set_aside()
        self.assertEqual(event.state, "skipped")

    # -- screens ---------------------------------------------------------------------------------
    def actions(self):
        domain = [("module", "=", "pos_erp_bridge"), ("model", "=", "ir.actions.act_window")]
        data = self.env["ir.model.data"].search(domain)
        actions = self.env["ir.actions.act_window"].browse(data.mapped("res_id"))
        return actions.filtered(lambda a: a.res_model.startswith("bridge."))

    def test_every_screen_opens_for_every_group(self):
        """The views of our actions are valid for each group alone, and their fields can be read and searched."""
        for action in self.actions():
            for group, user in self.users.items():
                with self.subTest(action=action.name, group=group):
                    self.open_screen(self.env(user=user, su=False)[action.res_model], action)

    def open_screen(self, model, action):
        if model._transient and not model.has_access("create"):
            return  # a wizard of others; their menu hides it
        views = model.get_views(
            [*action.views, (action.search_view_id.id, "search")], {"action_id": action.id, "toolbar": True}
        )["views"]
        if model._transient:
            return
        records = model.search([], limit=5)
        self.assertTrue(records, "there is something to look at")
        for kind, view in views.items():
            arch = etree.fromstring(view["arch"])
            if kind == "search":
                for node in arch.iterfind(".//filter[@context]"):
                    group_by = self.group_by(node)
                    if group_by:
                        model.formatted_read_group([], [group_by], ["__count"])
                continue
            specification = {
                node.get("name"): self.specification(model._fields[node.get("name")])
                for node in arch.iter("field")
                if not any(parent.tag == "field" for parent in node.iterancestors())
            }
            records.web_read(specification)

    @staticmethod
    def specification(field):
        return {"fields": {"display_name": {}}} if field.type == "many2one" else {}

    @staticmethod
    def group_by(node):
        _before, _found, after = node.get("context").partition("'group_by': '")
        return after.partition("'")[0]

    def test_native_documents_open_for_those_who_work_with_them(self):
        """Shop, sales and warehouse staff without any of our groups still open their documents of a channel."""
        partner = self.env["res.partner"].create({"name": "Buyer"})
        store = self.env["bridge.store"].search([("channel_id", "=", self.channel.id)])
        till = self.env["pos.config"].create({"name": "Till"})
        session = self.env["pos.session"].create({"config_id": till.id, "user_id": self.env.uid})
        session.bridge_store_id = store
        order = self.env["sale.order"].create({"partner_id": partner.id})
        order.write({"bridge_channel_id": self.channel.id, "bridge_store_id": store.id})
        parcel = self.env["bridge.parcel"].search([("channel_id", "=", self.channel.id)])
        documents = {
            "sales_team.group_sale_salesman_all_leads": order,
            "stock.group_stock_user": parcel.picking_id,
            "point_of_sale.group_pos_user": session,
        }
        for group, document in documents.items():
            with self.subTest(group=group):
                user = new_test_user(self.env, f"staff_{document._table}", f"base.group_user,{group}")
                arch = etree.fromstring(document.with_user(user).get_view(view_type="form")["arch"])
                fields = document._fields  # lines have fields of their own
                names = {node.get("name") for node in arch.iter("field")}
                ours = {name for name in names if name.startswith("bridge_") and name in fields}
                self.assertTrue(ours)
                document.with_user(user).web_read({name: self.specification(fields[name]) for name in ours})

    def test_menus_by_group(self):
        """Everyone sees the app; Configuration is for managers, Settings for system administrators."""
        root = self.env.ref("pos_erp_bridge.menu_bridge")
        configuration = self.env.ref("pos_erp_bridge.menu_bridge_configuration")
        settings = self.env.ref("pos_erp_bridge.menu_bridge_settings")
        seen = {}
        for group, user in self.users.items():
            visible = self.env["ir.ui.menu"].with_user(user)._visible_menu_ids()
            seen[group] = [menu.id in visible for menu in (root, configuration, settings)]
        self.assertEqual(
            seen,
            {
                "auditor": [True, False, False],
                "user": [True, False, False],
                "manager": [True, True, False],
                "administrator": [True, True, False],
            },
        )
