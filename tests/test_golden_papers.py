# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""From a picture through the proxy to paper, compared with pictures that are kept: every dot."""

import pytest
from golden_papers import PAPERS, SENT, load, print_paper
from PIL import ImageChops


def differing(one, other):
    """How many dots differ, and in which box; (0, None) when none does."""
    difference = ImageChops.logical_xor(one, other)
    return difference.histogram()[-1], difference.getbbox()


@pytest.mark.parametrize("name", PAPERS)
def test_paper_is_the_kept_one(name):
    """Any dot that is lost, moved, doubled or added is seen."""
    paper, kept = print_paper(name), load(name)
    assert paper.size == kept.size and differing(paper, kept) == (0, None)


def test_kept_papers_show_what_was_sent():
    """The kept pictures themselves: they are what was sent, dot for dot; a second one has a mark above."""
    sent, paper, again = load(SENT), load("as-it-is"), load("reprinted")
    top = again.height - paper.height
    assert paper.size == sent.size and differing(paper, sent) == (0, None)
    assert differing(again.crop((0, top, *again.size)), paper) == (0, None) and top == 80
