# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Texts as jobs: what the door takes, what is kept on disk, and what stands in the configuration for them."""

import json
import sqlite3
import uuid
from dataclasses import replace

import pytest
from pos_hardware_proxy import __main__, document
from pos_hardware_proxy.config import Config, ConfigError
from pos_hardware_proxy.document import DocumentError, Line
from pos_hardware_proxy.fonts import Fonts, find_font
from pos_hardware_proxy.marks import reprint_mark
from pos_hardware_proxy.spool import Job, OtherContent, Spool
from proxy_shop import WIDTH, run, shop

JAPANESE = {"receipt": {"rom": "japanese"}}
pytestmark = pytest.mark.skipif(not find_font(), reason="this machine has no Japanese font")


def the(place):
    return place.devices["receipt"][0]


# -- the door ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "content, says",
    [
        ({}, '{"lines":'),
        ({"lines": []}, "one line at least"),
        ({"lines": ["a"]}, "Line 1 must be an object"),
        ({"lines": [{"text": "a"}, {"bold": True}]}, "Line 2 has neither text"),
        ({"lines": [{"text": 5}]}, "text must be a text"),
        ({"lines": [{"text": "a", "bold": 1}]}, "bold must be true or false"),
        ({"lines": [{"text": "a", "size": 3}]}, "size must be one of 1, 2"),
        ({"lines": [{"text": "a", "size": True}]}, "size must be a number"),
        ({"lines": [{"text": "a", "align": "middle"}]}, "left, center, right"),
        ({"lines": [{"text": "a", "colour": "red"}]}, "colour is not known"),
        ({"lines": [{"rule": True, "text": "a"}]}, "rule stands alone"),
        ({"lines": [{"cut": False}]}, "cut stands alone"),
        ({"lines": [{"text": "a"}] * 501}, "too long"),
        ({"lines": [{"text": "\n" * 600}]}, "too long"),
        ({"lines": [{"text": "a" * 20001}]}, "too long"),
        ({"lines": [{"text": "".join(map(chr, range(0xE100, 0xE200)))}]}, "characters that no font here has"),
        ({"lines": [{"text": "国\n" * 20, "size": 2}] * 20}, "dots of paper"),
    ],
)
def test_a_bad_text_is_refused_in_a_sentence(tmp_path, content, says):
    async def story():
        async with shop(tmp_path, JAPANESE) as place:
            path = f"/jobs/{uuid.uuid4()}?format=text"
            status, answer = await place.till.ask_json("PUT", path, content)
            assert status == 422 and says in answer["error"]
            assert not place.proxy.spool.last() and not the(place).papers

    run(story())


def test_other_formats_are_refused(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            status, answer = await place.till.ask_json("PUT", f"/jobs/{uuid.uuid4()}?format=pdf", {"lines": []})
            assert status == 422 and "picture, text" in answer["error"]
            status, answer = await place.till.ask("PUT", f"/jobs/{uuid.uuid4()}?format=text", b"{}")
            assert status == 422 and "application/json" in answer["error"]

    run(story())


def test_a_text_without_any_font(tmp_path, monkeypatch):
    """What the printer can say itself is printed; what would be drawn is refused, with what to do."""

    async def story():
        async with shop(tmp_path, JAPANESE) as place:
            monkeypatch.setattr(place.proxy.fonts, "main", None)
            assert (await place.till.print_text([{"text": "領収証"}]))["state"] == "printed"
            path = f"/jobs/{uuid.uuid4()}?format=text"
            status, answer = await place.till.ask_json("PUT", path, {"lines": [{"text": "髙島"}]})
            assert status == 422 and "Noto Sans CJK JP" in answer["error"]

    run(story())


# -- the spool -----------------------------------------------------------------------------------------
def test_the_same_text_again_is_answered_not_printed(tmp_path):
    async def story():
        async with shop(tmp_path, JAPANESE) as place:
            job_id = str(uuid.uuid4())
            for lines in ([{"text": "a", "bold": True}], [{"bold": True, "text": "a"}]):
                assert (await place.till.print_text(lines, job_id))["state"] == "printed"
            assert [paper.lines for paper in the(place).papers if paper.lines] == [["a"]]
            path = f"/jobs/{job_id}?format=text"
            status, answer = await place.till.ask_json("PUT", path, {"lines": [{"text": "b"}]})
            assert status == 422 and "another print" in answer["error"]

    run(story())


def test_a_text_that_is_printed_once_more_says_so(tmp_path):
    async def story():
        async with shop(tmp_path, JAPANESE, keep_partial=True) as place:
            the(place).state.reset_after = 80
            job = await place.till.print_text([{"text": f"国{number}" * 9} for number in range(30)])
            assert (job["state"], job["reason"]) == ("unknown", "lost")
            again = await place.till.resolve(job, reprint="reprint-1")
            again = await place.till.see(again)
            while again["state"] != "printed":
                again = await place.till.see(again)
            paper = the(place).papers[-1]
            assert paper.lines == [f"国{number}" * 9 for number in range(30)]
            mark = reprint_mark(WIDTH)
            assert paper.bits()[: len(mark)] == mark

    run(story())


def test_a_text_waits_on_disk(tmp_path):
    job = Job(id="job-00001", printer="p", kind="kitchen", width=0, format="text", picture=b'{"lines":[{"text":"a"}]}')
    box = Spool(tmp_path / "spool.sqlite")
    box.accept(job, 60)
    box.close()
    box = Spool(tmp_path / "spool.sqlite")
    kept = box.next_waiting("p")
    assert (kept.format, kept.picture) == ("text", job.picture)
    with pytest.raises(OtherContent):
        box.accept(replace(job, format="picture"), 60)
    box.close()


def test_a_spool_of_before_still_opens(tmp_path):
    """With the table of the version without texts; its pictures keep their digest, so nothing is printed twice."""
    path, picture = tmp_path / "spool.sqlite", b"\xff"
    old = Job(id="job-00001", printer="p", kind="receipt", width=8, picture=picture)
    box = Spool(path)
    box.accept(old, 60)
    box.close()
    with sqlite3.connect(path) as db:
        db.execute("ALTER TABLE job DROP COLUMN format")
        (digest,) = db.execute("SELECT digest FROM job").fetchone()
    assert digest == "ff17da731ebaa6c29bb55ae35e437038751de2b2d2b7bf8c47be5ccb4dee88b6"
    box = Spool(path)
    _job, is_new = box.accept(old, 60)
    job = box.get_whole(old.id)
    assert not is_new and (job.format, job.picture) == ("picture", picture)
    box.close()


def test_the_document_is_kept_as_it_came():
    content = {"lines": [{"text": "髙島\x1b", "size": 2}, {"rule": True}]}
    assert json.loads(document.pack(content)) == content
    assert document.unpack(document.pack(content)) == [Line("髙島", size=2), Line(kind="rule")]
    with pytest.raises(DocumentError):
        document.pack({"lines": [{"text": "a" * 21000}]})


# -- the file ------------------------------------------------------------------------------------------
FILE = """
[proxy]
state = "/tmp/x"
[[printer]]
name = "receipt"
address = "tcp://10.0.0.5"
"""


def test_the_file(tmp_path):
    path = tmp_path / "proxy.toml"
    path.write_text(FILE)
    (printer,) = Config.load(path).printers
    assert (printer.rom, printer.language) == ("none", "escpos")
    path.write_text(FILE.replace("[[", f'font = "{find_font().file}"\n[[') + 'rom = "japanese"\n')
    config = Config.load(path)
    assert config.printers[0].rom == "japanese" and Fonts(config.font).face_for("国").file == find_font().file


@pytest.mark.parametrize(
    "more, says",
    [
        ('rom = "chinese"', "Possible: none, japanese"),
        ('language = "esc"', "Possible: escpos, star"),
        ('language = "star"\nrom = "japanese"', "are drawn; leave rom out"),
        ('language = "star"\nconfirm = "queued-status"', "in its own way"),
    ],
)
def test_the_file_says_what_is_wrong(tmp_path, more, says):
    path = tmp_path / "proxy.toml"
    path.write_text(FILE + more)
    with pytest.raises(ConfigError, match=says):
        Config.load(path)


def test_a_font_that_is_none(tmp_path):
    path, file = tmp_path / "proxy.toml", tmp_path / "font.ttf"
    file.write_bytes(b"no font")
    for name in (file, tmp_path / "none.ttf"):
        path.write_text(FILE.replace("[[", f'font = "{name}"\n[['))
        with pytest.raises(ConfigError, match="no file of a font with Japanese characters"):
            Config.load(path)


def test_check_says_that_there_is_no_font(tmp_path, monkeypatch, capsys):
    path = tmp_path / "proxy.toml"
    path.write_text(FILE)
    monkeypatch.setattr("sys.argv", ["pos-hardware-proxy", "--config", str(path), "--check"])
    __main__.main()
    assert "font" not in capsys.readouterr().out
    monkeypatch.setattr(__main__, "find_font", lambda: None)
    __main__.main()
    assert "Install Noto Sans CJK JP" in capsys.readouterr().out
