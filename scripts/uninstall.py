"""Fed to "odoo shell": uninstalls the addon as the button does, loads the registry again."""

from odoo.modules.registry import Registry

module = env["ir.module.module"].search([("name", "=", "pos_erp_bridge")])  # noqa: F821
module.button_immediate_uninstall()
env.cr.commit()  # noqa: F821
registry = Registry.new(env.cr.dbname)  # noqa: F821
left = sorted(name for name in registry.models if name.startswith("bridge."))
with registry.cursor() as cr:
    cr.execute("SELECT state FROM ir_module_module WHERE name = 'pos_erp_bridge'")
    state = cr.fetchone()[0]
if state == "uninstalled" and not left:
    print("\nUNINSTALLED")
else:
    print("\nstate", state, "models left", left)
