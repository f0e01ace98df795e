# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
from odoo import api, models
from odoo.exceptions import AccessError


class BridgeReadonly(models.AbstractModel):
    """Rows that people may change, and whose readonly fields are written by the bridge alone: what was decided, by whom
    and when. Decision methods check the right to write, then write as superuser. A view's readonly stops nobody who
    calls the server himself."""

    _name = "bridge.readonly"
    _description = "Rows whose readonly fields the bridge writes"

    @api.model_create_multi
    def create(self, vals_list):
        if self.env.su:
            return super().create(vals_list)
        self._refuse_readonly({name for vals in vals_list for name in vals})
        # Defaults of the context are values given by whoever calls, too.
        context = {
            key: value
            for key, value in self.env.context.items()
            if not (key.startswith("default_") and self._is_readonly(key.removeprefix("default_")))
        }
        bare = self.with_env(self.env(context=context))
        return super(BridgeReadonly, bare).create(vals_list).with_env(self.env)

    def write(self, vals):
        if not self.env.su:
            self._refuse_readonly(vals)
        return super().write(vals)

    def _is_readonly(self, name):
        return name in self._fields and self._fields[name].readonly

    def _refuse_readonly(self, names):
        if refused := sorted(filter(self._is_readonly, names)):
            labels = (self._fields[name]._description_string(self.env) for name in refused)
            raise AccessError(
                self.env._(
                    "%(fields)s (%(document)s): this is written by the bridge when somebody decides, not by hand. Use "
                    "the buttons.",
                    fields=", ".join(labels),
                    document=self.env["ir.model"]._get(self._name).name,
                )
            )
