"""Fed to "odoo shell": verifies the registers of fiscal documents of all companies, one line for each finding."""

import sys

if "bridge.document" not in env:  # noqa: F821
    sys.exit("POS/EC Bridge is not installed in this database.")
Document, found = env["bridge.document"], 0  # noqa: F821
for company in env["res.company"].with_context(active_test=False).search([]):  # noqa: F821
    count = Document.search_count([("company_id", "=", company.id)])
    for finding in Document._verify(company):
        print(f"{company.name}: {Document._finding_text(finding)}")
        found += 1
    if count:
        print(f"{company.name}: {count} documents verified")
print(f"{found} findings" if found else "nothing was changed")
sys.exit(1 if found else 0)
