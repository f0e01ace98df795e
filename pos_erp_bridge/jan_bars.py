# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Bars of a JAN (EAN-13, EAN-8) as an SVG path: drawn by the browser, so sharp on paper and without any library that
paints pictures. No odoo import."""

LEFT = "0001101 0011001 0010011 0111101 0100011 0110001 0101111 0111011 0110111 0001011".split()
RIGHT = ["".join("10"[int(bit)] for bit in digit) for digit in LEFT]
EVEN = [digit[::-1] for digit in RIGHT]
# Which of the six left digits of an EAN-13 are of the even set, by its first digit.
PARITY = "000000 001011 001101 001110 010011 011001 011100 010101 010110 011010".split()


def is_jan(code):
    """Whether ``code`` is a JAN of 8 or 13 digits whose check digit is right."""
    if len(code) not in (8, 13) or not (code.isascii() and code.isdigit()):
        return False
    return sum(int(digit) * (3 if i % 2 else 1) for i, digit in enumerate(reversed(code))) % 10 == 0


def modules(code):
    """The bars of a JAN: text of "1" (bar) and "0" (gap), 95 modules of an EAN-13, 67 of an EAN-8."""
    if len(code) == 13:
        sets = zip(PARITY[int(code[0])], code[1:7], strict=True)
        left, right = (EVEN[int(d)] if even == "1" else LEFT[int(d)] for even, d in sets), code[7:]
    else:
        left, right = (LEFT[int(digit)] for digit in code[:4]), code[4:]
    return "101" + "".join(left) + "01010" + "".join(RIGHT[int(digit)] for digit in right) + "101"


def path(code):
    """(width in modules, SVG path one module high per unit) of a JAN; (0, "") of any other code."""
    if not is_jan(code):
        return 0, ""
    bits, parts, start = modules(code) + "0", [], None
    for i, bit in enumerate(bits):
        if bit == "1" and start is None:
            start = i
        elif bit == "0" and start is not None:
            parts.append(f"M{start} 0h{i - start}v1h-{i - start}z")
            start = None
    return len(bits) - 1, "".join(parts)
