"""Judges the log of one Odoo test run.  odoo_log.py LOG ALLOWED

Prints "passed failed skipped" on stdout. What counts as a failure besides failed
tests: any WARNING, ERROR or CRITICAL line that no pattern of the file ALLOWED
(one regular expression a line, # comments) matches; these go to stderr.
"""

import re
import sys

RECORD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \d+ (?P<level>[A-Z]+) \S+ (?P<text>.*)$")
RESULT = re.compile(r"(\d+) failed, (\d+) error\(s\) of (\d+) tests")
# How Odoo logs a failed test; it is in the totals already.
FAILED_TEST = re.compile(r"^\S+: (FAIL|ERROR): |odoo\.tests\.result: |Some modules are not loaded because tests failed")
SKIPPED = re.compile(r"^odoo\.addons\.\S+: skipped ")


def read_allowed(path):
    with open(path, encoding="utf-8") as stream:
        return [re.compile(line.strip()) for line in stream if line.strip() and not line.startswith("#")]


def judge(log, allowed):
    run = failed = skipped = 0
    dirty = []
    with open(log, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            record = RECORD.match(line)
            if not record:
                continue
            text = record["text"]
            result = RESULT.search(text)
            if result:
                failures, errors, tests = map(int, result.groups())
                run, failed = run + tests, failed + failures + errors
                continue
            if SKIPPED.match(text):
                skipped += 1
            if record["level"] not in ("WARNING", "ERROR", "CRITICAL"):
                continue
            if FAILED_TEST.search(text):
                print(line.rstrip(), file=sys.stderr)
            elif not any(pattern.search(text) for pattern in allowed):
                dirty.append(line.rstrip())
    for line in dirty[:40]:
        print(f"not expected in the log: {line}", file=sys.stderr)
    passed = max(0, run - failed - skipped)
    if dirty and not failed:
        failed = 1
    return passed, failed, skipped


if __name__ == "__main__":
    print(*judge(sys.argv[1], read_allowed(sys.argv[2])))
