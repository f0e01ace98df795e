"""Judges the log of one Odoo test run.  odoo_log.py LOG ALLOWED

Prints "passed failed skipped" on stdout. What counts as a failure besides failed
tests: any WARNING, ERROR or CRITICAL line that no pattern of the file ALLOWED
(one regular expression a line, # comments) matches; these go to stderr, with
the traceback below them.
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


def records(stream):
    """(match, text of the whole record) for each record, tracebacks included."""
    match, lines = None, []
    for line in stream:
        found = RECORD.match(line)
        if found:
            if match:
                yield match, lines
            match, lines = found, []
        lines.append(line.rstrip())
    if match:
        yield match, lines


def judge(log, allowed):
    run = failed = skipped = 0
    dirty, failures = [], []
    with open(log, encoding="utf-8", errors="replace") as stream:
        for record, lines in records(stream):
            text = record["text"]
            result = RESULT.search(text)
            if result:
                failing, errors, tests = map(int, result.groups())
                run, failed = run + tests, failed + failing + errors
            elif SKIPPED.match(text):
                skipped += 1
            elif record["level"] not in ("WARNING", "ERROR", "CRITICAL"):
                pass
            elif FAILED_TEST.search(text):
                failures.append(lines)
            elif not any(pattern.search(text) for pattern in allowed):
                dirty.append(lines)
    for lines in failures[:20]:
        print(*lines[:1], *lines[1:][-40:], sep="\n", file=sys.stderr)
    for lines in dirty[:20]:
        print("not expected in the log:", *lines[:1], *lines[1:][-15:], sep="\n", file=sys.stderr)
    if dirty and not failed:
        failed = 1
        run += 1
    return max(0, run - failed - skipped), failed, skipped


if __name__ == "__main__":
    print(*judge(sys.argv[1], read_allowed(sys.argv[2])))
