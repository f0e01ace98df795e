# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Which document a sale gets, what a later one does to it, and when a return needs none."""

DOCUMENT_TYPES = ("simplified", "qualified", "return", "summary")
RETURN_WAIVED_BELOW = 10000  # yen with tax
RETURN_WAIVER = "return below 10,000 yen"


def document_type(*, is_return=False, is_summary=False, is_invoice=False):
    """A shop open to the public gives the simplified form, unless the buyer asks for an invoice made out to them."""
    if is_return:
        return "return"
    if is_summary:
        return "summary"
    return "qualified" if is_invoice else "simplified"


def return_waiver(total):
    """Why no return invoice has to be issued for ``total`` yen with tax given back; "" when one has to be.

    Judged on the whole amount of a return, never rate by rate. The return itself is recorded all the same.
    """
    return RETURN_WAIVER if abs(total) < RETURN_WAIVED_BELOW else ""


def relation_of(new_type, effective_type=None, *, is_correction=False):
    """What a new document is to the effective one of the same supply: issue, correct, return or supersede.

    A supply has one effective document. ValueError where a second would stand beside the first: a receipt after
    an invoice, or a document of the same type, which is printed again instead.
    """
    for name in (new_type, effective_type or new_type):
        if name not in DOCUMENT_TYPES:
            raise ValueError(f"document type {name!r} is not one of {', '.join(DOCUMENT_TYPES)}")
    if is_correction:
        if effective_type != new_type:
            raise ValueError(f"a {new_type} document corrects none of type {effective_type}")
        return "correct"
    if new_type == "return":
        return "return"
    if not effective_type:
        return "issue"
    if (effective_type, new_type) in SUPERSEDES:
        return "supersede"
    raise ValueError(f"the supply has its {effective_type} document; print that again instead of a {new_type} one")


# (old, new): an invoice asked for after the receipt; a summary over what was delivered and documented before.
SUPERSEDES = {("simplified", "qualified"), ("simplified", "summary"), ("qualified", "summary")}


def return_duty(document):
    """Which of some returns need a return invoice."""
    required = []
    for number, entry in enumerate(document.get("returns") or [], 1):
        rates = entry.get("by_rate_incl") if isinstance(entry, dict) else None
        if not isinstance(rates, dict) or not all(isinstance(yen, int) for yen in rates.values()):
            raise ValueError(f"return {number} has no by_rate_incl in whole yen")
        required.append(not return_waiver(sum(rates.values())))
    return {"return_invoice_required": required}
