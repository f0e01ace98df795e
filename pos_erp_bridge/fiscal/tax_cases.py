# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Computes worked cases in a file and compares: a line for each, then ``N passed, N failed``.

Run as ./run tax-cases FILE. The file is a JSON object whose ``cases`` each have id, input and expected.
"""

import json
import sys
from decimal import Decimal
from pathlib import Path

from .calculator import compute
from .registration import parse

# A rate that should not be there is as wrong as one that is missing; other figures beyond those asked for are not.
COMPLETE = ("by_rate", "discount_by_rate")


def read(path):
    """The file's object; ValueError with a sentence when it is not one."""
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8-sig"), parse_float=Decimal)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file in UTF-8.") from None
    except (json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}.") from None
    if not isinstance(data, dict) or not isinstance(data.get("cases"), list):
        raise ValueError(f'{path} has no list "cases".')
    return data


def differences(expected, computed, path=""):
    """Sentences: where the computed result is not the expected one."""
    if isinstance(expected, dict) and isinstance(computed, dict):
        found = [
            f"{_join(path, key)} is missing (expected {value!r})"
            if key not in computed
            else differences(value, computed[key], _join(path, key))
            for key, value in expected.items()
        ]
        if path.rpartition(".")[2] in COMPLETE:
            found += [f"{_join(path, key)} is not expected" for key in computed if key not in expected]
        return [sentence for entry in found for sentence in ([entry] if isinstance(entry, str) else entry)]
    if type(expected) is type(computed) is list and len(expected) == len(computed):
        pairs = enumerate(zip(expected, computed, strict=True), 1)
        return [sentence for place, pair in pairs for sentence in differences(*pair, _join(path, place))]
    same = expected == computed and isinstance(expected, bool) == isinstance(computed, bool)
    return [] if same else [f"{path} is {computed!r}, expected {expected!r}"]


def _join(path, key):
    return f"{path}.{key}" if path else str(key)


def judge(case):
    """What is wrong with a case; an empty list when its result is the expected one."""
    try:
        if not isinstance(case.get("expected"), dict) or not case["expected"]:
            return ["the case has no expected result"]
        if "input" not in case:
            return ["the case has no input"]
        return differences(case["expected"], compute(case["input"]))
    except ValueError as error:
        return [str(error)]
    except Exception as error:  # whatever is wrong with one case must not hide the others
        return [f"the case is malformed ({type(error).__name__}: {error})"]


def judge_registration(case):
    """The same for an entry of ``registration_number_cases``."""
    if not isinstance(case, dict) or "number" not in case:
        return ["the entry has no number"]
    found = parse(case["number"])._asdict()
    return differences({key: case[key] for key in ("shape_ok", "corporate_check_digit_ok") if key in case}, found)


def main(arguments):
    if len(arguments) != 1:
        sys.exit("Name one file: ./run tax-cases FILE")
    try:
        data = read(arguments[0])
    except ValueError as error:
        sys.exit(str(error))
    failed = 0
    for place, case in enumerate(data["cases"], 1):
        about = case if isinstance(case, dict) else {}
        wrong = judge(case)
        failed += bool(wrong)
        name = f"{about.get('id', f'case {place}')}  {about.get('title', '')}".rstrip()
        print(f"FAILED  {name}: {'; '.join(wrong)}" if wrong else f"passed  {name}")
    numbers = data.get("registration_number_cases")
    wrong = [(case, judge_registration(case)) for case in (numbers if isinstance(numbers, list) else [])]
    for case, sentences in wrong:
        if sentences:
            print(f"FAILED  registration number {case!r}: {'; '.join(sentences)}")
    differing = sum(bool(sentences) for _case, sentences in wrong)
    if wrong:
        print(f"registration numbers: {len(wrong) - differing} agree, {differing} differ")
    if not data["cases"]:
        print("The file has no cases.")
    print(f"{len(data['cases']) - failed} passed, {failed} failed")
    return 1 if failed or differing or not data["cases"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
