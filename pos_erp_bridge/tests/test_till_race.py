# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import uuid
from unittest.mock import patch

from psycopg2.errors import SerializationFailure

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.orm.registry import DummyRLock
from odoo.tests import BaseCase, tagged
from odoo.tests.common import get_db_name

from ..connectors import base
from . import shop
from .common import DAY, BridgeCommon, Probe


@tagged("-standard", "-at_install", "post_install", "bridge_race")
class TestTillRace(BaseCase):
    """A day is closed while a sale of it is booked: one of the two starts over, and the entry holds every sale.

    Works on committed data of a company of its own.
    """

    # Records and facts are made as in the other tests of the till.
    line, tender, sale, tax_table, arrive = (
        getattr(BridgeCommon, name) for name in ("line", "tender", "sale", "tax_table", "arrive")
    )

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = Registry(get_db_name())
        cls.startClassPatcher(patch.object(Registry, "_lock", DummyRLock()))
        cls.startClassPatcher(patch.dict(base._REGISTRY, {Probe.system: Probe}))
        with cls.registry.cursor() as cr:
            cls.env = shop.make_company(api.Environment(cr, SUPERUSER_ID, {}), f"Race {uuid.uuid4().hex[:6]}")
            BridgeCommon._set_up_shop.__func__(cls)
            cls.channel.cron_ids.active = False
            cls.ids = cls.channel.id, cls.tea.id
            cls.company_id = cls.env.company.id
        cls.addClassCleanup(cls._retire)

    @classmethod
    def _retire(cls):
        with cls.registry.cursor() as cr:
            api.Environment(cr, SUPERUSER_ID, {})["bridge.channel"].browse(cls.ids[0]).active = False

    def use(self, cr):
        """Work on this cursor from now on."""
        context = {"allowed_company_ids": [self.company_id], "tz": "Asia/Tokyo", "tracking_disable": True}
        self.env = api.Environment(cr, SUPERUSER_ID, context)
        self.channel = self.env["bridge.channel"].browse(self.ids[0])
        self.tea = self.env["product.product"].browse(self.ids[1])

    def book(self, cr, day=DAY):
        self.use(cr)
        events = self.arrive(self.sale(self.line(self.tea, 138), day=day))
        self.channel._book_events(events)
        # Real connections look at what is committed.
        cr.commit()  # pylint: disable=invalid-commit
        return self.env["pos.order"].browse(events.res_id)

    def closing(self, cr, closing):
        self.use(cr)
        return self.env["bridge.closing"].browse(closing)

    def test_sale_booked_while_the_day_is_closed(self):
        """The closing began before the sale was booked: it does not miss the sale, it starts over."""
        with self.registry.cursor() as booking, self.registry.cursor() as closing:
            session = self.book(booking).session_id
            day = session._bridge_closing().id
            closing.execute("SELECT 1")  # its snapshot
            self.book(booking)
            with self.assertRaises(SerializationFailure), patch("odoo.sql_db._logger.error"):
                self.closing(closing, day)._close(is_forced=True)
            closing.rollback()
            row = self.closing(closing, day)
            self.assertTrue(row._close(is_forced=True), row.message)
            self.assertEqual((row.total, len(row.session_id.order_ids)), (276, 2))
            closing.commit()

    def test_day_closed_while_a_sale_is_booked(self):
        """The booking began before the day was closed: it starts over and finds the day closed."""
        with self.registry.cursor() as booking, self.registry.cursor() as closing:
            day = DAY.replace(day=1)
            self.use(booking)
            self.channel.start_date = day
            session = self.book(booking, day).session_id
            row = session._bridge_closing().id
            booking.commit()
            booking.execute("SELECT 1")
            self.assertTrue(self.closing(closing, row)._close(is_forced=True))
            closing.commit()
            with self.assertRaises(SerializationFailure), patch("odoo.sql_db._logger.error"):
                self.book(booking, day)
            booking.rollback()
            late = self.book(booking, day)
            self.assertTrue(late.session_id.bridge_is_correction)
