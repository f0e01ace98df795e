# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
import hashlib
import re
import unicodedata

from odoo import api, fields, models, tools
from odoo.tools import email_normalize


class ResPartner(models.Model):
    _inherit = "res.partner"

    bridge_address_key = fields.Char(
        readonly=True,
        copy=False,
        index="btree_not_null",
        help="Fingerprint of the address as a channel gave it: the same address is not added twice, edited or not.",
    )


class BridgeContact(models.AbstractModel):
    """Which contact a channel's customer is. A contact is found by its binding only, never merged with another that
    looks alike; what a person edited in Odoo stays."""

    _name = "bridge.contact"
    _description = "Customers of channels"

    # -- keys ------------------------------------------------------------------------------------
    @api.model
    def _address_key(self, address):
        """Fingerprint of an address; "" when there is none. Case, width and punctuation make no difference."""
        if not address:
            return ""
        parts = (address.name, address.company, address.zip, address.country_code, address.state, address.city)
        text = unicodedata.normalize("NFKC", "\x00".join((*parts, address.street, address.street2))).lower()
        words = re.sub(r"[^\w\x00]+", "", text)
        return hashlib.blake2b(words.encode(), digest_size=12).hexdigest() if words.strip("\x00") else ""

    @api.model
    def _key(self, channel, order):
        """The external id a buyer's contact is bound under."""
        customer = order.customer
        if customer and customer.external_id:
            return customer.external_id
        if channel.guest_policy == "shared":
            return "guest"
        mail = email_normalize(customer.email) if customer and customer.email else ""
        if mail:
            return f"guest:{mail}"
        address = self._address_key((customer and customer.address) or order.billing_address or order.shipping_address)
        if address:
            return f"guest:{address}"
        # Nothing says who it is: nobody shares a contact with somebody unknown.
        return f"guest:order:{order.external_id}"

    # -- buyers ----------------------------------------------------------------------------------
    @api.model
    def _buyers(self, channel, items):
        """{item: (partner, invoice address, delivery address)}; contacts are created in one go."""
        keys = {item: self._key(channel, item.record) for item in items}
        partners = self._bound(channel, set(keys.values()))
        new = {}
        for item, key in keys.items():
            if key not in partners and key not in new:
                new[key] = self._prepare_buyer(channel, key, item.record)
        partners |= self._create_bound(channel, new)
        places, wanted = {}, {}
        for item, key in keys.items():
            order = item.record
            for kind, address in (("invoice", order.billing_address), ("delivery", order.shipping_address)):
                fingerprint = self._address_key(address)
                places[item, kind] = (partners[key], fingerprint)
                if fingerprint:
                    wanted.setdefault((partners[key], fingerprint), (kind, address))
        found = self._addresses(wanted)
        return {
            item: (
                partners[key],
                found.get(places[item, "invoice"], partners[key]),
                found.get(places[item, "delivery"], partners[key]),
            )
            for item, key in keys.items()
        }

    def _bound(self, channel, keys):
        bindings = self.env["bridge.binding"]._get(channel, "customer", keys)
        found = self.env["bridge.binding"].union(*bindings.values())._records()
        # The contact was deleted in Odoo: it is made anew, under the same binding.
        gone = [binding for key, binding in bindings.items() if key not in found]
        for binding in gone:
            binding.unlink()
        if channel.guest_policy == "shared" and channel.guest_partner_id and "guest" in keys:
            found["guest"] = channel.guest_partner_id
        return found

    def _create_bound(self, channel, new):
        """{key: partner} of contacts created and bound."""
        if not new:
            return {}
        partners = self.env["res.partner"].sudo().create(list(new.values()))
        rows = list(zip(new, partners, strict=True))
        self.env["bridge.binding"]._bind(
            channel, "customer", [(key, partner, {"external_name": partner.name}) for key, partner in rows]
        )
        if channel.guest_policy == "shared":
            channel.sudo().guest_partner_id = dict(rows).get("guest", channel.guest_partner_id)
        return dict(rows)

    def _addresses(self, wanted):
        """{(partner, fingerprint): contact}: the partner itself where the address is its own, else one child each."""
        places = {(partner, key): partner for partner, key in wanted if partner.bridge_address_key == key}
        rest = [pair for pair in wanted if pair not in places]
        if not rest:
            return places
        Partner = self.env["res.partner"].sudo()
        children = Partner.search(
            [
                ("parent_id", "in", [partner.id for partner, _key in rest]),
                ("bridge_address_key", "in", [key for _partner, key in rest]),
            ]
        )
        places |= {(child.parent_id, child.bridge_address_key): child for child in children}
        new = [pair for pair in rest if pair not in places]
        made = Partner.create(
            [
                {
                    "parent_id": partner.id,
                    "type": wanted[partner, key][0],
                    "bridge_address_key": key,
                    "company_id": partner.company_id.id,
                    **self._prepare_address(wanted[partner, key][1]),
                }
                for partner, key in new
            ]
        )
        return places | dict(zip(new, made, strict=True))

    # -- values ----------------------------------------------------------------------------------
    def _prepare_buyer(self, channel, key, order):
        if key == "guest":
            return {"name": self.env._("Guests of %s", channel.name), "company_id": channel.company_id.id}
        customer = order.customer
        address = (customer and customer.address) or order.billing_address or order.shipping_address
        values = self._prepare_customer(channel, customer, address)
        values["name"] = values.get("name") or values.get("email") or self.env._("Customer of %s", order.number)
        return values

    def _prepare_customer(self, channel, customer, address):
        """Values of a contact, from a Customer record (or None) and an address (or None)."""
        values = self._prepare_address(address) if address else {}
        values |= {
            "type": "contact",
            "company_id": channel.company_id.id,
            "bridge_address_key": self._address_key(address) or False,
        }
        if customer:
            said = {"name": customer.name, "email": customer.email, "phone": customer.phone, "ref": customer.code}
            values |= {field: value for field, value in said.items() if value}
        return values

    def _prepare_address(self, address):
        country = self._countries().get((address.country_code or "").upper())
        state = self._state(country, address.state)
        # A state nobody knows is still part of the address.
        city = address.city if state or not address.state else f"{address.state} {address.city}".strip()
        name = " ".join(part for part in (address.company, address.name) if part)
        values = {
            "name": name,
            "zip": address.zip,
            "city": city,
            "street": address.street,
            "street2": address.street2,
            "phone": address.phone,
            "country_id": country,
            "state_id": state,
        }
        return {field: value for field, value in values.items() if value}

    @tools.ormcache()
    def _countries(self):
        """{code: id}"""
        return {country.code: country.id for country in self.env["res.country"].sudo().search_fetch([], ["code"])}

    @tools.ormcache("country_id")
    def _states(self, country_id):
        """{code or name: id} of a country, in lower case; what is said of several states is left out."""
        names = {}
        for state in (
            self.env["res.country.state"].sudo().search_fetch([("country_id", "=", country_id)], ["code", "name"])
        ):
            for name in {state.code.lower(), state.code.lower().rpartition("-")[2], state.name.lower()}:
                names.setdefault(name, set()).add(state.id)
        return {name: ids.pop() for name, ids in names.items() if len(ids) == 1}

    def _state(self, country_id, text):
        """A state by its ISO code or name; False when that is not one state."""
        return self._states(country_id).get(text.lower(), False) if country_id and text else False
