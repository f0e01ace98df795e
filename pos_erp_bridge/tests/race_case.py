# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import threading
import uuid
from unittest.mock import patch

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.orm.registry import DummyRLock
from odoo.tests import BaseCase
from odoo.tests.common import get_db_name

from . import shop


class RaceCase(BaseCase):
    """Real connections, committed data of a company of its own; the test stage throws the database away afterwards."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.registry = Registry(get_db_name())
        # The thread that runs the tests holds this lock all the while; Odoo's own test mode steps aside the same way.
        cls.startClassPatcher(patch.object(Registry, "_lock", DummyRLock()))
        with cls.registry.cursor() as cr:
            env = shop.make_company(api.Environment(cr, SUPERUSER_ID, {}), f"Race {uuid.uuid4().hex[:6]}")
            cls.company_id = env.company.id
            cls._set_up_shop(env)
            # No cron of a server beside us takes part; the threads below are the workers.
            env["ir.cron"].search([("bridge_channel_id", "!=", False)]).active = False
        cls.addClassCleanup(cls._retire)

    @classmethod
    def _set_up_shop(cls, env):
        """Products, channels, vendors; committed afterwards."""

    @classmethod
    def _retire(cls):
        """The channels' sandboxes are gone: nothing may call them again."""
        with cls.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            env["bridge.channel"].search([("company_id", "=", cls.company_id)]).active = False

    @classmethod
    def _request_handler(cls, session, request, /, **kw):
        kw["timeout"] = 30
        return super()._request_handler(session, request, **kw)

    def in_parallel(self, *jobs):
        """Run each job(env, index) in a thread and on a connection of its own, all at the same moment."""
        barrier, errors = threading.Barrier(len(jobs)), []

        def work(index, job):
            threading.current_thread().dbname = self.registry.db_name
            try:
                barrier.wait(30)
                job(index)
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(i, job)) for i, job in enumerate(jobs)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        self.assertFalse([t for t in threads if t.is_alive()], "a worker hangs")
        self.assertFalse(errors)

    def channel_env(self, cr, vendor):
        env = api.Environment(cr, SUPERUSER_ID, {"allowed_company_ids": [self.company_id]})
        return env["bridge.channel"].browse(vendor.channel.id)

    def run_lane(self, vendor, lane):
        with self.registry.cursor() as cr:
            self.channel_env(cr, vendor)._run_lane(lane)
