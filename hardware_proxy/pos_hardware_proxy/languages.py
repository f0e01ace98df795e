# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""The languages printers speak: a module each, with the same names, so that nothing else need know which it is.

INITIALISE, FILL, CUT   bytes: settings as after power on; the end of whatever may be unfinished; feed and cut
HELLO, ASB_ON, ASK      bytes: on a new line; tell every change; questions that are answered at once
picture(data, width)    commands for a picture, a list
motion_units(dpi)       bytes
pulse(pin), pulse_now(pin)      bytes: open the drawer in its turn, or at once
Reader                  sorts incoming bytes into answers (feed)
automatic(answer)       the status in it, or None
is_reply(answer), replied(known, number, answer)    whether it is the reply to ASK, and the status with it
confirmation(way, number, known)    question that is answered when all before it is printed, and that answer
settling(way, known)    question that is answered behind what earlier jobs have asked, and that answer; b"" where
                        answers say which job they are for
"""

from . import escpos, star

LANGUAGES = {"escpos": escpos, "star": star}
