# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import threading

from psycopg2.errors import UniqueViolation

from odoo import SUPERUSER_ID, api
from odoo.fields import Datetime
from odoo.tests import tagged
from odoo.tools import mute_logger

from .race_case import RaceCase

WORKERS, ROUNDS, BATCH = 6, 5, 3


@tagged("-standard", "-at_install", "post_install", "bridge_race")
class TestDocumentRace(RaceCase):
    """Sales registered at the same moment form one chain, and none of them starts over."""

    def environment(self, cr):
        return api.Environment(cr, SUPERUSER_ID, {"allowed_company_ids": [self.company_id]})

    def issue(self, env, count=1, **more):
        Document, company = env["bridge.document"], env["res.company"].browse(self.company_id)
        issuer = Document._issuer(company)
        vals_list = [
            {
                "company_id": company.id,
                "content": Document._content(
                    issuer, Datetime.now(), type="simplified", basis="included", figures={"10": (100, 10)}, **more
                ),
            }
            for _number in range(count)
        ]
        return Document._issue(vals_list)

    def test_one_chain(self):
        """Every worker's snapshot is older than the others' documents: each waits for its place, none conflicts."""
        barrier = threading.Barrier(WORKERS)

        def work(index):
            for _round in range(ROUNDS):
                with self.registry.cursor() as cr:
                    cr.execute("SELECT 1")  # the snapshot
                    barrier.wait(60)
                    self.issue(self.environment(cr), BATCH)

        self.in_parallel(*[work] * WORKERS)
        with self.registry.cursor() as cr:
            env = self.environment(cr)
            documents = env["bridge.document"].search([("company_id", "=", self.company_id)], order="position")
            count = WORKERS * ROUNDS * BATCH
            self.assertEqual(
                documents.mapped("position")[-count:], list(range(len(documents) - count + 1, len(documents) + 1))
            )
            self.assertEqual(env["bridge.document"]._verify_chain(env.company), [])

    def test_waits_only_for_the_end(self):
        """Who has registered but not ended yet keeps nobody from registering, printing or ending before him."""
        with self.registry.cursor() as slow, self.registry.cursor() as quick:
            first = self.issue(self.environment(slow))
            second = self.issue(self.environment(quick))
            quick.commit()  # pylint: disable=invalid-commit
            slow.commit()  # pylint: disable=invalid-commit
            slow.execute("SELECT id, position FROM bridge_document WHERE id IN (%s, %s)", [first.id, second.id])
            places = dict(slow.fetchall())
            self.assertEqual(places[first.id], places[second.id] + 1)

    def test_two_corrections_of_one_document(self):
        """The second finds that he came too late; one document never has two corrections."""
        with self.registry.cursor() as cr:
            original = self.issue(self.environment(cr)).id
        with self.registry.cursor() as one, self.registry.cursor() as two:
            for cr in (one, two):
                cr.execute("SELECT 1")
            vals = {"relation": "correct", "reason": "race"}
            self.correct(one, original, vals)
            one.commit()  # pylint: disable=invalid-commit
            with self.assertRaises(UniqueViolation), mute_logger("odoo.sql_db"):
                self.correct(two, original, vals)
            two.rollback()

    def correct(self, cr, original, more):
        env = self.environment(cr)
        Document = env["bridge.document"]
        issuer = Document._issuer(env["res.company"].browse(self.company_id))
        content = Document._content(
            issuer, Datetime.now(), type="simplified", basis="included", figures={"10": (90, 9)}, **more
        )
        Document._issue([{"company_id": self.company_id, "content": content, "original_id": original}])
