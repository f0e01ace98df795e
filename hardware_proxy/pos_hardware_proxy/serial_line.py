# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What an address says of a serial line: ``serial:///dev/ttyUSB0?baud=38400&bits=8&parity=N&stop=1&flow=none``.

Flow control has no safe guess: with ``rtscts`` on a cable of three wires nothing would ever be sent, without any a
printer loses rows of a long receipt. So it is ``none`` until the address says what the device is set to.
"""

from urllib.parse import parse_qsl, urlsplit

CHOICES = {
    "bits": ("8", "7", "6", "5"),
    "parity": ("N", "E", "O", "M", "S"),
    "stop": ("1", "2"),
    "flow": ("none", "rtscts", "xonxoff"),
}
BAUDS = range(50, 4_000_001)


def options(address):
    """Keyword arguments for ``serial.Serial``.

    :raises ValueError: with a sentence for people
    """
    given = dict(parse_qsl(urlsplit(address).query, keep_blank_values=True))
    if given.get("flow") == "dsrdtr":
        raise ValueError(
            "flow=dsrdtr does nothing on Linux. Wire the device's DTR to this machine's CTS and write flow=rtscts, "
            "or set the device to XON/XOFF and write flow=xonxoff."
        )
    for key, value in given.items():
        if key != "baud" and key not in CHOICES:
            raise ValueError(f"{key} is not known. There are: baud, {', '.join(CHOICES)}.")
        if key != "baud" and value not in CHOICES[key]:
            raise ValueError(f"{key}={value} is not possible. Possible: {', '.join(CHOICES[key])}.")
    baud = given.get("baud", "38400")
    if not baud.isdecimal() or int(baud) not in BAUDS:
        raise ValueError(f"baud={baud} is not possible; it is a speed like 9600 or 38400.")
    flow = given.get("flow", "none")
    return {
        "baudrate": int(baud),
        "bytesize": int(given.get("bits", 8)),
        "parity": given.get("parity", "N"),
        "stopbits": int(given.get("stop", 1)),
        "rtscts": flow == "rtscts",
        "xonxoff": flow == "xonxoff",
    }
