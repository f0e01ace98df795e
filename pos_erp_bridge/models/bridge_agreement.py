# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Agreement: what a channel really shows, compared with what it should. One run reads the channel page by page."""

from odoo import api, fields, models
from odoo.exceptions import AccessError

from ..connectors import base

OPEN_RUN = ("reading", "checking")
OPEN_LINE = ("check", "open", "sent")
UNMAPPED_LISTED, MISSING_LISTED = 50, 200  # lines of this kind one run lists; all are counted


class BridgeAgreement(models.Model):
    """One comparison of a channel: its real levels, read page by page, and every level that differs, with its cause.
    A run that was cut off goes on at the page; its rows are written by the poll lane."""

    _name = "bridge.agreement"
    _description = "Comparison of stock"
    _order = "id desc"

    channel_id = fields.Many2one("bridge.channel", required=True, ondelete="cascade", index=True, readonly=True)
    company_id = fields.Many2one(related="channel_id.company_id", store=True, index=True)
    kind = fields.Selection(
        [
            ("night", "Nightly"),
            ("demand", "On demand"),
            ("outage", "After an outage"),
            ("first", "Before the first push"),
            ("hint", "Told of by the channel"),
        ],
        "Why",
        required=True,
        readonly=True,
    )
    state = fields.Selection(
        [
            ("reading", "Reading"),
            ("checking", "Looking for causes"),
            ("done", "Done"),
            ("cancelled", "Stopped"),
        ],
        default="reading",
        required=True,
        readonly=True,
    )
    started_at = fields.Datetime("Started", default=fields.Datetime.now, required=True, readonly=True)
    checked_at = fields.Datetime("Read to the end", readonly=True)
    finished_at = fields.Datetime("Finished", readonly=True)
    is_polled = fields.Boolean(readonly=True, help="Sales made before the levels were read are known to us.")
    cursor = fields.Char(readonly=True)
    read_count = fields.Integer("Levels read", readonly=True)
    compared_count = fields.Integer("Compared", readonly=True)
    differed_count = fields.Integer("Differed", readonly=True)
    learned_count = fields.Integer(
        "Seen for the first time", readonly=True, help="Levels the channel showed before we ever told it any."
    )
    unmapped_count = fields.Integer(
        "Not mapped here", readonly=True, help="Items the channel shows stock of and we know no product for."
    )
    missing_count = fields.Integer("Unknown there", readonly=True, help="Our levels which the channel does not list.")
    line_ids = fields.One2many("bridge.agreement.line", "agreement_id", readonly=True)
    repaired_count = fields.Integer("Repaired", compute="_compute_counts")
    open_count = fields.Integer("Open", compute="_compute_counts")
    cause_text = fields.Char("Causes", compute="_compute_counts")

    # The constraint decides who was first; a comparison asked for twice is one.
    _open_uniq = models.UniqueIndex(
        "(channel_id) WHERE state IN ('reading', 'checking')", "One comparison of a channel runs at a time."
    )

    @api.depends("channel_id", "started_at")
    @api.depends_context("tz", "lang")
    def _compute_display_name(self):
        for run in self:
            at = fields.Datetime.context_timestamp(run, run.started_at) if run.started_at else None
            run.display_name = f"{run.channel_id.name} {at:%Y-%m-%d %H:%M}" if at else run.channel_id.name

    @api.depends("line_ids.state", "line_ids.cause")
    @api.depends_context("lang")
    def _compute_counts(self):
        groups = self.env["bridge.agreement.line"]._read_group(
            [("agreement_id", "in", self.ids)], ["agreement_id", "state", "cause"], ["__count"]
        )
        names = dict(self.env["bridge.agreement.line"]._fields["cause"]._description_selection(self.env))
        for run in self:
            mine = [(state, cause, count) for found, state, cause, count in groups if found == run]
            run.repaired_count = sum(count for state, _cause, count in mine if state in ("sent", "repaired"))
            run.open_count = sum(count for state, _cause, count in mine if state in ("check", "open"))
            by_cause = {}
            for _state, cause, count in mine:
                by_cause[cause] = by_cause.get(cause, 0) + count
            run.cause_text = ", ".join(f"{names[cause]}: {by_cause[cause]}" for cause in names if cause in by_cause)

    # -- life ------------------------------------------------------------------------------------
    @api.model
    def _open(self, channel):
        """The channel's comparison under way, if any."""
        return self.search([("channel_id", "=", channel.id), ("state", "in", OPEN_RUN)], limit=1)

    @api.model
    def _start(self, channel, kind, **values):
        """The comparison under way, or a new one."""
        return self._open(channel) or self.create({"channel_id": channel.id, "kind": kind, **values})

    def _finish(self):
        """Everything is read and judged: close what agrees by now, and say so on the channel."""
        self.ensure_one()
        Line = self.env["bridge.agreement.line"]
        found = self.line_ids.filtered("level_id")
        self.write({"state": "done", "finished_at": fields.Datetime.now(), "cursor": False})
        self.differed_count = len(found)
        if self.kind != "hint":
            self.env.cr.execute(
                "SELECT level_id FROM bridge_agreement_look WHERE agreement_id = %s AND agrees", [self.id]
            )
            agreed = [row[0] for row in self.env.cr.fetchall()]
            Line.search([("level_id", "in", agreed), ("state", "in", ("check", "open"))])._settle()
            earlier = [("channel_id", "=", self.channel_id.id), ("agreement_id", "<", self.id)]
            Line.search([*earlier, ("cause", "=", "unmapped"), ("state", "=", "open")])._settle()
            self.channel_id.write(
                {
                    "reconciled_at": fields.Datetime.now(),
                    "reconcile_message": self.env._(
                        "%(total)s levels compared, %(wrong)s differed.", total=self.compared_count, wrong=len(found)
                    ),
                }
            )
        self._forget_looks()

    def _forget_looks(self):
        self.env.cr.execute("DELETE FROM bridge_agreement_look WHERE agreement_id = ANY(%s)", [self.ids])

    def action_stop(self):
        """Give up this comparison; what was found so far stays."""
        self._check_may_act()
        self.check_access("read")
        runs = self.sudo().filtered(lambda run: run.state in OPEN_RUN)
        looked_into = runs.line_ids.filtered(lambda line: line.state == "check")
        looked_into.filtered("cause").write({"state": "open"})
        looked_into.filtered(lambda line: not line.cause).unlink()
        runs.write({"state": "cancelled", "finished_at": fields.Datetime.now()})
        runs._forget_looks()

    def action_repair(self):
        """Repair every open difference of these comparisons."""
        self.line_ids.filtered(lambda line: line.state == "open").action_repair()

    def action_open_lines(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id("pos_erp_bridge.bridge_agreement_line_action")
        return {**action, "domain": [("agreement_id", "=", self.id)], "context": {}}

    def _check_may_act(self):
        """Starting, repairing and ignoring are for users of the bridge, not for auditors."""
        if not (self.env.su or self.env.user.has_group("pos_erp_bridge.group_bridge_user")):
            raise AccessError(
                self.env._("Only users of the bridge may compare and repair stock; your role only reads it.")
            )

    @api.autovacuum
    def _gc_agreements(self):
        """What differed is of use for a year."""
        limit = fields.Datetime.subtract(fields.Datetime.now(), years=1)
        self.search([("finished_at", "<", limit)], limit=1000).unlink()

    # -- reading ---------------------------------------------------------------------------------
    def _take_page(self, connector, page, read_at):
        """Compare one page of the channel's levels with ours; in one short transaction with the position."""
        self.ensure_one()
        shown = {}
        for fact in page.facts:
            try:
                level = connector.translate("stock", fact.payload)
            except base.DataError:
                continue
            shown[level.store_id, level.stock_id] = float(level.quantity)
        compared, learned, unmapped = self._compare(shown, read_at)
        self.write(
            {
                "read_count": self.read_count + len(page.facts),
                "compared_count": self.compared_count + compared,
                "learned_count": self.learned_count + learned,
                "unmapped_count": self.unmapped_count + unmapped,
                "cursor": page.cursor or False,
            }
        )
        if not page.cursor:
            self._take_missing()
            self.write({"state": "checking", "checked_at": fields.Datetime.now()})

    def _compare(self, shown, read_at):
        """Note what differs of ``shown`` {(store id, stock id at the channel): quantity}, read at ``read_at``.

        :return: (levels compared, levels seen for the first time, items no product is known for)
        """
        levels, unmapped = self.env["bridge.stock.level"]._of_channel(self.channel_id, shown)
        first = self.env["bridge.stock.level"].browse()
        agreed, differing = [], {}
        for key, level in levels.items():
            if not level.is_known:
                # Nobody told it yet: what the channel shows is the ground of the first push.
                level.write({"confirmed": shown[key], "is_known": True})
                first |= level
            if shown[key] == level.desired:
                agreed.append(level.id)
            elif level not in first:
                differing[level] = shown[key]
        self._note_looks([level.id for level in levels.values()], agreed)
        self._end_doubts(agreed)
        self._note_lines(differing, read_at)
        self._note_unmapped({key: shown[key] for key in unmapped})
        return len(levels), len(first), len(unmapped)

    def _end_doubts(self, agreed):
        """The channel shows what it should: no sale that we do not know of is in its number."""
        doubtful = [("id", "in", agreed), ("is_doubtful", "=", True), ("state", "=", "synced")]
        self.env["bridge.stock.level"].search(doubtful).write({"is_doubtful": False})

    def _note_looks(self, level_ids, agreed):
        self.env.cr.execute(
            """INSERT INTO bridge_agreement_look (channel_id, agreement_id, level_id, agrees)
               SELECT %s, %s, id, id = ANY(%s) FROM unnest(%s::int[]) AS id""",
            [self.channel_id.id, self.id, agreed, level_ids],
        )

    def _note_lines(self, differing, read_at, is_listed=True):
        """A difference that stays is one line: it moves to the newest comparison and keeps its age."""
        Line = self.env["bridge.agreement.line"]
        levels = self.env["bridge.stock.level"].union(*differing)
        known = {}
        for line in Line.search([("level_id", "in", levels.ids), ("state", "in", (*OPEN_LINE, "ignored"))], order="id"):
            known[line.level_id] = line
        new = []
        for level, quantity in differing.items():
            line = known.get(level)
            if line and line.state == "ignored" and line.shown == quantity and line.wanted == level.desired:
                continue
            vals = {
                "agreement_id": self.id,
                "shown": quantity,
                "believed": level.confirmed,
                "wanted": level.desired,
                "state": "check",
                "seen_at": read_at,
                "looks": 0,
                "is_listed": is_listed,
            }
            if line and line.state != "ignored":
                line.write(vals)
            else:
                new.append(
                    {
                        "channel_id": self.channel_id.id,
                        "level_id": level.id,
                        "store_id": level.store_id.id,
                        "product_id": level.product_id.id,
                        **vals,
                    }
                )
        Line.create(new)

    def _note_unmapped(self, shown):
        """List some of the items nobody mapped; those without stock are not worth a look."""
        free = UNMAPPED_LISTED - self.unmapped_count
        stores = {store.external_id: store for store in self.channel_id.store_ids}
        reason = self.env._("The channel shows this item and no product is mapped to it: decide it under Mappings.")
        self.env["bridge.agreement.line"].create(
            [
                {
                    "agreement_id": self.id,
                    "channel_id": self.channel_id.id,
                    "store_id": stores[store_id].id,
                    "external_id": stock_id,
                    "shown": quantity,
                    "cause": "unmapped",
                    "reason": reason,
                    "state": "open",
                }
                for (store_id, stock_id), quantity in list(shown.items())[: max(0, free)]
            ]
        )

    def _take_missing(self):
        """Our levels no page told of: looked at one by one before we believe that the channel lacks them."""
        self.env["bridge.stock.level"].flush_model()
        self.env.cr.execute(
            """SELECT l.id FROM bridge_stock_level l JOIN bridge_store s ON s.id = l.store_id
                WHERE l.channel_id = %s AND l.is_known AND (l.desired != 0 OR l.confirmed != 0)
                  AND s.active AND s.location_id IS NOT NULL
                  AND NOT EXISTS (SELECT FROM bridge_agreement_look k
                                   WHERE k.agreement_id = %s AND k.level_id = l.id)""",
            [self.channel_id.id, self.id],
        )
        levels = self.env["bridge.stock.level"].browse([row[0] for row in self.env.cr.fetchall()])
        bound = levels._stock_ids(self.channel_id, levels.product_id.ids)
        levels = levels.filtered(lambda level: level.product_id.id in bound)
        self.missing_count = len(levels)
        # ``seen_at`` before everything: the second look decides.
        self._note_lines(dict.fromkeys(levels[:MISSING_LISTED], 0.0), fields.Datetime.to_datetime("2000-01-01"), False)
