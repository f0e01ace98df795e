# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import base64
import json
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from psycopg2.errors import UniqueViolation

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.service.model import call_kw
from odoo.tests import TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from ..models import bridge_hardware_job
from ..models.bridge_hardware_relay import MAX_BODY, proxy_signature

BESIDE = Path(__file__).resolve().parents[2] / "hardware_proxy"
PROXY_ID = "0123456789abcdef"
SECRET = "s3cret-" * 7
BODY = base64.b64encode(b"a deflated picture").decode()
PRINTER = {"name": "receipt", "role": "receipt", "width": 576, "drawer": True}


class RelayCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.proxy = cls.env["bridge.hardware.proxy"].create({"name": "Ginza", "url": "http://192.168.1.20:8069"})
        cls.proxy.sudo().write({"secret": SECRET, "proxy_id": PROXY_ID, "relay_seen": fields.Datetime.now()})
        cls.config = cls.env["pos.config"].create({"name": "レジ1", "bridge_proxy_id": cls.proxy.id})
        cls.cashier = new_test_user(cls.env, "relay_cashier", "base.group_user,point_of_sale.group_pos_user")
        cls.jobs = cls.env["bridge.hardware.job"]

    def rpc(self, method, *args, user=None, config=None):
        """As the till's browser calls it."""
        config = config or self.config
        return call_kw(self.env["pos.config"].with_user(user or self.cashier), method, [config.ids, *args], {})

    def put(self, job_id="job-00001", is_tried=False, **changed):
        job = {"id": job_id, "printer": "", "width": 576, "rows": 120, "body": BODY, "at": time.time(), **changed}
        return self.rpc("bridge_relay_put", job, is_tried)

    def row(self, job_id="job-00001"):
        return self.jobs.search([("job", "=", job_id)])

    def exchange(self, *states, moment=None, printers=()):
        """What the proxy gets; ``states``: (id, state) or (id, state, reason)."""
        stands = [dict(zip(("id", "state", "reason"), state, strict=False)) for state in states]
        self.last = moment or getattr(self, "last", 1_000) + 1
        answer = self.proxy._relay_exchange({"states": stands, "printers": list(printers)}, self.last)
        self.env.flush_all()
        return answer

    def messages(self, kind):
        """Bus messages of that kind since the last look."""
        self.env.cr.precommit.run()
        found = self.env["bus.bus"].search([("message", "like", f'{kind}"'), ("id", ">", getattr(self, "seen", 0))])
        self.seen = max(found.ids, default=getattr(self, "seen", 0))
        return [(message.channel, json.loads(message.message)["payload"]) for message in found]


@tagged("post_install", "-at_install")
class TestHardwareRelay(RelayCase):
    # -- leaving and fetching --------------------------------------------------------------------
    def test_print_goes_there_and_its_end_comes_back(self):
        """Left once, handed over until the proxy has told something of it, and the till hears how it ends."""
        stand = self.put()
        self.assertEqual((stand["state"], stand["face"], stand["isAlive"]), ("new", "new:", True))
        called = self.messages("bridge_hardware")
        self.assertEqual(called, [(json.dumps([self.env.cr.dbname, "bridge.hardware.proxy", self.proxy.id, "relay"],
                                              separators=(",", ":")), {})])  # fmt: skip
        for _time in range(2):
            answer = self.exchange()
            (job,) = answer["jobs"]
            self.assertTrue(0 <= job.pop("age") < 60)
            query = {"kind": "receipt", "printer": "", "width": "576", "rows": "120"}
            self.assertEqual(job, {"id": "job-00001", "query": query, "body": BODY})
            self.assertEqual((answer["asked"], answer["drawers"]), ([], []))

        answer = self.exchange(("job-00001", "waiting", "paper_end"))
        self.assertEqual(answer["jobs"], [])
        self.assertEqual(answer["asked"], [{"id": "job-00001", "face": "waiting:paper_end", "decision": None}])
        self.assertTrue(self.row().body, "it may have to be handed over again")
        answer = self.exchange(("job-00001", "printed"))
        self.assertEqual(answer, {"jobs": [], "asked": [], "drawers": []})
        told = [payload["face"] for _channel, payload in self.messages("BRIDGE_PRINT")]
        self.assertEqual(told, ["waiting:paper_end", "printed:"])
        self.assertFalse(self.row().body)
        self.assertEqual(self.rpc("bridge_relay_get", "job-00001")["state"], "printed")

    def test_messages_are_for_that_till_only(self):
        self.put()
        self.exchange(("job-00001", "printed"))
        ((channel, _payload),) = self.messages("BRIDGE_PRINT")
        self.assertIn(self.config.access_token, channel)

    def test_same_id_is_one_row(self):
        """Asked for twice, there is one print; the key forbids a second."""
        self.put()
        self.put()
        self.assertEqual(len(self.row()), 1)
        self.assertEqual(len(self.exchange()["jobs"]), 1)
        self.exchange(("job-00001", "printed"))
        self.assertEqual(self.put()["state"], "printed")
        self.assertEqual(self.exchange()["jobs"], [])
        with self.assertRaises(UniqueViolation), mute_logger("odoo.sql_db"), self.env.cr.savepoint():
            self.jobs.create({"proxy_id": self.proxy.id, "config_id": self.config.id, "job": "job-00001"})

    def test_what_may_be_left(self):
        """What is no print, or is too large, is refused with a sentence and leaves nothing."""
        for changed in (
            {"job_id": "short"}, {"job_id": "job 00001"}, {"job_id": None}, {"width": 577}, {"width": 1032},
            {"width": "576"}, {"rows": 0}, {"rows": 20001}, {"rows": True}, {"body": ""}, {"body": "?"},
            {"body": None}, {"body": "A" * (MAX_BODY * 4 // 3 + 8)}, {"printer": None}, {"printer": "x" * 101},
            {"kind": "drawer"}, {"kind": "secret"},
        ):  # fmt: skip
            with self.subTest(changed=str(changed)[:60]), self.assertRaisesRegex(UserError, r"^[A-Z].*\.$"):
                self.put(**changed)
        self.assertFalse(self.jobs.search([]))
        with patch.object(bridge_hardware_job, "MOST_WAITING", 1):
            self.put()
            with self.assertRaisesRegex(UserError, "wait for the hardware proxy already"):
                self.put("job-00002")
            self.env.cr.execute("UPDATE bridge_hardware_job SET state = 'printed' WHERE job = 'job-00001'")
            self.env.invalidate_all()
            self.put("job-00002")

    def test_proxy_that_does_not_ask(self):
        """One that was never set up for it takes nothing; one that has fallen silent is told apart."""
        self.proxy.sudo().relay_seen = False
        self.assertIs(self.put(), False)
        self.assertIs(self.put(body="A" * (MAX_BODY * 4 // 3 + 8)), False, "it is not refused: it goes elsewhere")
        self.assertIs(self.rpc("bridge_relay_get", "job-00001"), False)
        self.assertIs(self.rpc("bridge_relay_is_alive"), False)
        self.assertFalse(self.jobs.search([]))
        self.proxy.sudo().relay_seen = "2026-01-01"
        self.assertFalse(self.put()["isAlive"])
        self.assertIs(self.rpc("bridge_relay_is_alive"), False)
        self.exchange()
        self.assertIs(self.rpc("bridge_relay_is_alive"), True)
        self.assertTrue(self.rpc("bridge_relay_get", "job-00001")["isAlive"])

    def test_printers_come_along(self):
        """The till knows the paper's width without reaching the proxy."""
        self.exchange(printers=[PRINTER, {"name": "bad"}])
        access = self.rpc("bridge_proxy_access")
        self.assertEqual(access["printers"], [PRINTER])
        self.assertEqual(access["road"], "direct")
        self.assertLess(abs(access["now"] - time.time()), 60)

    # -- time ------------------------------------------------------------------------------------
    def test_too_old(self):
        """Never fetched, it fails by itself; fetched, only the proxy knows, and it is asked without the picture."""
        self.put()
        self.put("job-00002")
        self.jobs.search([("job", "=", "job-00002")]).taken = fields.Datetime.now()
        self.jobs.search([]).until = time.time() - 1
        self.env.flush_all()
        stand = self.rpc("bridge_relay_get", "job-00001")
        self.assertEqual((stand["face"], stand["isOwnEnd"]), ("failed:expired", True))
        answer = self.exchange()
        self.assertEqual((answer["jobs"], [row["id"] for row in answer["asked"]]), ([], ["job-00002"]))
        self.assertFalse(self.jobs.search([("body", "!=", False)]))
        self.exchange(("job-00002", "missing"))
        self.assertEqual(self.rpc("bridge_relay_get", "job-00002")["face"], "failed:expired")

    def test_as_old_as_the_till_says(self):
        """The time in which the till tried elsewhere counts; a clock that is ahead gives no more of it."""
        for job_id, moment, age in (("job-00001", -400, 400), ("job-00002", 400, 0), ("job-00003", None, 0)):
            self.put(job_id, at=moment and time.time() + moment)
            self.assertAlmostEqual(time.time() - self.row(job_id).asked, age, delta=60)
        self.assertEqual(self.put("job-00004", at=time.time() - 601)["state"], "new")
        self.assertEqual(self.rpc("bridge_relay_get", "job-00004")["face"], "failed:expired")

    def test_what_was_tried_elsewhere_too(self):
        """The proxy may have it from another way: then it is asked, and Odoo does not say that it failed."""
        self.put()
        self.row().until = 1
        self.assertEqual(self.rpc("bridge_relay_get", "job-00001")["face"], "failed:expired")
        self.assertEqual(self.rpc("bridge_relay_get", "job-00001", True)["face"], "new:")
        self.assertEqual([row["id"] for row in self.exchange()["asked"]], ["job-00001"])
        self.exchange(("job-00001", "printed"))
        self.assertEqual(self.rpc("bridge_relay_get", "job-00001", True)["face"], "printed:")

    def test_drawer(self):
        """Three seconds from when the till asked, or never; it is opened for one request once."""
        at = time.time()
        self.assertEqual(self.rpc("bridge_relay_drawer", "drawer-01", "receipt", at)["state"], "new")
        ((row),) = self.exchange()["drawers"]
        self.assertEqual((row["id"], row["printer"]), ("drawer-01", "receipt"))
        self.exchange(("drawer-01", "done", "opened"))
        stand = self.rpc("bridge_relay_drawer", "drawer-01", "receipt", at)
        self.assertEqual(stand["face"], "done:opened")
        stand = self.rpc("bridge_relay_drawer", "drawer-02", "receipt", at - 60)
        self.assertEqual(stand["face"], "failed:too_late")
        self.assertEqual(self.exchange()["drawers"], [])

    # -- news that are late or doubled -----------------------------------------------------------
    def test_never_backwards(self):
        """Late news never take back what was known; of the same step, the newer reason holds."""
        self.put()
        steps = (
            (20, "waiting", "offline", "waiting:offline"),
            (19, "waiting", "paper_end", "waiting:offline"),
            (21, "waiting", "", "waiting:"),
            (15, "printing", "", "printing:"),
            (30, "waiting", "", "printing:"),
            (31, "unknown", "lost", "unknown:lost"),
            (32, "printing", "", "unknown:lost"),
            (33, "printed", "seen", "printed:seen"),
            (34, "failed", "not_seen", "printed:seen"),
            (35, "missing", "", "printed:seen"),
        )
        for moment, state, reason, face in steps:
            with self.subTest(moment=moment, state=state):
                self.exchange(("job-00001", state, reason), moment=moment)
                self.assertEqual(self.row()._face(), face)

    def test_not_known_there(self):
        """What the proxy does not know: to be sent again, or to be looked at, by how far it had come."""
        self.rpc("bridge_relay_get", "job-00001")
        self.exchange(("job-00001", "missing"))
        self.assertEqual(self.rpc("bridge_relay_get", "job-00001")["state"], "missing")
        self.assertEqual(self.put()["state"], "new")
        self.assertEqual(len(self.exchange(("job-00001", "missing"))["jobs"]), 1, "it has not been handed over yet")
        self.exchange(("job-00001", "printing"))
        self.exchange(("job-00001", "missing"))
        self.assertEqual(self.row()._face(), "unknown:stopped")

    def test_nonsense_is_passed_over(self):
        self.put()
        content = {"states": [None, {"id": 7}, {"id": "job-00001", "state": "gone"}, {"id": "x", "state": "printed"}]}
        self.proxy._relay_exchange(content, 1)
        self.assertEqual(self.row().state, "new")

    # -- somebody looked -------------------------------------------------------------------------
    def test_decisions(self):
        """They are told until the proxy has carried them out, or says why not."""
        self.put()
        self.exchange(("job-00001", "unknown", "lost"))
        self.assertFalse(self.rpc("bridge_relay_resolve", "job-00001", {"reprint": "again-001"})["isDecided"])
        for _time in range(2):
            asked = {row["id"]: row["decision"] for row in self.exchange()["asked"]}
            self.assertEqual(asked, {"job-00001": {"reprint": "again-001"}, "again-001": None})
        refused = {"id": "job-00001", "state": "unknown", "reason": "lost", "refused": "Too many wait."}
        self.proxy._relay_exchange({"states": [refused]}, 2_000)
        stand = self.rpc("bridge_relay_get", "job-00001")
        self.assertEqual((stand["isDecided"], stand["refused"], stand["state"]), (True, "Too many wait.", "unknown"))
        self.exchange(("again-001", "missing"), moment=2_001)
        self.rpc("bridge_relay_resolve", "job-00001", {"reprint": "again-001"})
        self.assertEqual(self.row("again-001").state, "new", "it may be there now")
        self.rpc("bridge_relay_resolve", "job-00001", {"came_out": True})
        self.exchange(("job-00001", "printed", "seen"), moment=2_002)
        stand = self.rpc("bridge_relay_get", "job-00001")
        self.assertEqual((stand["isDecided"], stand["refused"], stand["face"]), (True, "", "printed:seen"))
        for nonsense in ({}, {"came_out": "yes"}, {"reprint": "x"}):
            with self.assertRaises(UserError):
                self.rpc("bridge_relay_resolve", "job-00001", nonsense)

    def test_decision_about_what_the_proxy_lost(self):
        """Nobody there knows the print any more: what the person saw is the end."""
        for job_id, came_out, face in (("job-00001", True, "printed:seen"), ("job-00002", False, "failed:not_seen")):
            self.put(job_id)
            self.exchange((job_id, "unknown", "lost"))
            self.rpc("bridge_relay_resolve", job_id, {"came_out": came_out})
            self.exchange((job_id, "missing"))
            self.assertEqual(self.row(job_id)._face(), face)

    def test_another_machine(self):
        """What the old proxy fetched may be printed: the new one does not get it, and somebody looks."""
        self.put()
        self.put("job-00002")
        self.row().taken = fields.Datetime.now()
        self.proxy.sudo().offered_secret = "n" * 40
        self.proxy.pairing_confirm("f" * 16)
        self.assertEqual([job["id"] for job in self.exchange()["jobs"]], ["job-00002"])
        self.assertEqual(self.row()._face(), "unknown:stopped")
        self.assertFalse(self.row().body)

    # -- who may ---------------------------------------------------------------------------------
    def test_rights(self):
        """Only those who work at the till; another till's print is not theirs, nor another company's proxy."""
        self.put()
        manager = new_test_user(self.env, "relay_manager", "base.group_user,pos_erp_bridge.group_bridge_manager")
        other = self.env["res.company"].create({"name": "Other"})
        stranger = new_test_user(
            self.env, "relay_stranger", "base.group_user,point_of_sale.group_pos_user",
            company_id=other.id, company_ids=[Command.set(other.ids)],
        )  # fmt: skip
        calls = (
            ("bridge_relay_get", "job-00001"), ("bridge_relay_resolve", "job-00001", {"came_out": True}),
            ("bridge_relay_drawer", "drawer-01", "", 0),
            ("bridge_relay_put", {"id": "job-00002", "printer": "", "width": 576, "rows": 1, "body": BODY}),
        )  # fmt: skip
        for user in (manager, stranger):
            for method, *args in calls:
                with self.subTest(method=method, user=user.login), self.assertRaises(AccessError):
                    self.rpc(method, *args, user=user)
        second = self.env["pos.config"].create({"name": "レジ2", "bridge_proxy_id": self.proxy.id})
        for method, *args in calls[:2]:
            with self.subTest(method=method), self.assertRaisesRegex(UserError, "another till"):
                self.rpc(method, *args, config=second)
        self.config.bridge_proxy_id = False
        for method, *args in calls:
            with self.subTest(method=method), self.assertRaisesRegex(UserError, "not connected"):
                self.rpc(method, *args)
        self.assertEqual(self.jobs.search([]).mapped("job"), ["job-00001"])

    def test_nobody_reads_what_is_printed(self):
        """Not an administrator, and not the till's cashier."""
        self.put()
        groups = "base.group_system,pos_erp_bridge.group_bridge_administrator"
        administrator = new_test_user(self.env, "relay_admin", groups)
        self.assertNotIn(BODY, str(call_kw(self.jobs.with_user(administrator), "read", [self.row().ids], {})))
        with self.assertRaises(AccessError):
            call_kw(self.jobs.with_user(administrator), "read", [self.row().ids, ["body"]], {})
        with self.assertRaises(AccessError):
            self.row().with_user(self.cashier).read(["state"])
        with self.assertRaises(AccessError):
            call_kw(self.jobs.with_user(administrator), "write", [self.row().ids, {"state": "printed"}], {})

    def test_clean_up(self):
        """After a month nothing is left; pictures that nobody fetched go when their time is over."""
        self.put()
        self.put("job-00002")
        self.row("job-00002").until = 1
        self.env.flush_all()
        self.env.cr.execute("UPDATE bridge_hardware_job SET create_date = '2026-01-01' WHERE job = 'job-00001'")
        self.env.invalidate_all()
        self.jobs._gc_jobs()
        self.assertEqual(self.jobs.search([]).mapped("job"), ["job-00002"])
        self.assertFalse(self.row("job-00002").body)

    # -- the open line ---------------------------------------------------------------------------
    def channels(self, secret=SECRET, proxy_id=PROXY_ID, moment=None):
        moment = moment or str(time.time_ns() // 1_000_000)
        sent = proxy_signature(secret, proxy_id, "SUBSCRIBE", "/websocket", b"", moment)
        nobody = SimpleNamespace(session=SimpleNamespace(uid=None))
        with patch("odoo.addons.bus.models.ir_websocket.request", nobody):
            public = self.env["ir.websocket"].with_user(self.env.ref("base.public_user"))
            return public._build_bus_channel_list(["mine", f"bridge_hardware:{proxy_id}:{moment}:{sent}"])

    def test_channel_is_for_the_proxy_only(self):
        """Who knows the secret is called; whoever names the channel without it hears nothing."""
        called, _names = self.told_apart(self.channels())
        self.assertEqual(called, [(self.proxy, "relay")])
        old = str(time.time_ns() // 1_000_000 - 130_000)
        for wrong in ({"secret": "x"}, {"proxy_id": "f" * 16}, {"moment": old}, {"moment": "soon"}):
            with self.subTest(wrong=wrong):
                called, names = self.told_apart(self.channels(**wrong))
                self.assertFalse(called)
                self.assertFalse([name for name in names if name.startswith("bridge_hardware")])
                self.assertIn("mine", names)

    @staticmethod
    def told_apart(channels):
        """(those of proxies, those that are names): records among them compare with neither."""
        proxies = [c for c in channels if isinstance(c, tuple) and c[1:] == ("relay",)]
        return proxies, [c for c in channels if isinstance(c, str)]

    def test_proxy_is_greeted(self):
        data = {"channels": self.channels(), "last": 0, "missed_presences": self.env["mail.presence"]}
        self.env["ir.websocket"]._after_subscribe_data(data)
        self.assertEqual(len(self.messages("bridge_hardware")), 1)

    def test_same_as_the_proxy_computes(self):
        if not (BESIDE / "pos_hardware_proxy").is_dir():
            self.skipTest("no folder hardware_proxy beside the addon")
        with patch.object(sys, "path", [str(BESIDE), *sys.path]):
            from pos_hardware_proxy import security
        key = security.till_key(SECRET, f"relay {PROXY_ID}")
        theirs = security.signature(key, "POST", "/bridge/hardware/x", b"{}", "1795143660000", PROXY_ID)
        self.assertEqual(
            proxy_signature(SECRET, PROXY_ID, "POST", "/bridge/hardware/x", b"{}", "1795143660000"), theirs
        )
