# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Parts of the hardware proxy that need no printer: configuration, spool, status bytes, pictures, who may ask."""

import io
import sqlite3
import time
import tracemalloc
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pos_hardware_proxy import escpos, picture, security, spool, status, words
from pos_hardware_proxy.config import Config, ConfigError
from proxy_shop import BESIDE

GOOD = """
[proxy]
state = "/tmp/x"
origins = ["https://erp.example.jp"]
[[printer]]
name = "receipt"
address = "tcp://10.0.0.5:9100"
"""


# -- configuration ---------------------------------------------------------------------------------
def load(tmp_path, text):
    path = tmp_path / "proxy.toml"
    path.write_text(text, encoding="utf-8")
    return Config.load(path)


def test_configuration_is_read(tmp_path):
    config = load(tmp_path, GOOD)
    assert config.origins == ("https://erp.example.jp",)
    assert config.listen == "127.0.0.1" and not config.without_token
    assert config.printers[0].width == 576


@pytest.mark.parametrize(
    "change, says",
    [
        (("[proxy]", "[proxi]"), "[proxi] is not known"),
        (('state = "/tmp/x"', ""), "state is missing"),
        (('state = "/tmp/x"', 'state = "/tmp/x"\nport = "8069"'), "port must be a whole number"),
        (('state = "/tmp/x"', 'state = "/tmp/x"\nwithout_token = 1'), "without_token must be true or false"),
        (('state = "/tmp/x"', 'state = "/tmp/x"\ncolour = 1'), "colour is not known"),
        (("https://erp.example.jp", "https://erp.example.jp/"), "no slash"),
        (("[[printer]]", "[printer]"), "two brackets"),
        (('name = "receipt"', ""), "name is missing"),
        (("tcp://10.0.0.5:9100", "10.0.0.5"), "is not one of tcp://"),
        (('name = "receipt"', 'name = "receipt"\nwidth = 570'), "568 is"),
        (('name = "receipt"', 'name = "receipt"\nwidth = 5'), "Possible: 200 to 1024"),
        (('name = "receipt"', 'name = "receipt"\nconfirm = "yes"'), "process-id"),
        (("[proxy]", "[proxy"), "is not TOML"),
        (('state = "/tmp/x"', 'state = "/tmp/x"\ntls = true\nport = 8070'), "plain_port = 8070 is port, too"),
        (('state = "/tmp/x"', 'state = "/tmp/x"\nmdns = "no"'), "mdns must be true or false"),
        (('state = "/tmp/x"', 'state = "/tmp/x"\nhosts = ["レジ.local"]'), "ASCII"),
        (("tcp://10.0.0.5:9100", "serial:///dev/ttyS0?flow=dsrdtr"), "does nothing on Linux"),
        (("tcp://10.0.0.5:9100", "serial:///dev/ttyS0?flow=hardware"), "Possible: none, rtscts, xonxoff"),
        (("tcp://10.0.0.5:9100", "serial:///dev/ttyS0?flow="), "Possible: none, rtscts, xonxoff"),
        (("tcp://10.0.0.5:9100", "serial:///dev/ttyS0?baud=fast"), "a speed like"),
        (("tcp://10.0.0.5:9100", "serial:///dev/ttyS0?parity=X"), "Possible: N, E"),
        (("tcp://10.0.0.5:9100", "serial:///dev/ttyS0?speed=9600"), "speed is not known"),
    ],
)
def test_configuration_says_what_is_wrong(tmp_path, change, says):
    with pytest.raises(ConfigError) as error:
        load(tmp_path, GOOD.replace(*change))
    assert says in str(error.value)


def test_the_example_is_right():
    config = Config.load(BESIDE / "example.toml")
    assert (config.tls, config.plain_port, config.mdns, config.page_from_network) == (False, 8070, None, False)


def test_two_printers_of_one_name(tmp_path):
    with pytest.raises(ConfigError, match="Two printers"):
        load(tmp_path, GOOD + '[[printer]]\nname = "receipt"\naddress = "tcp://10.0.0.6"\n')


# -- spool -----------------------------------------------------------------------------------------
@pytest.fixture
def jobs(tmp_path):
    box = spool.Spool(tmp_path / "spool.sqlite", quota=3)
    yield box
    box.close()


def a_job(job_id="job-00001", **values):
    return spool.Job(**{"id": job_id, "printer": "p", "kind": "receipt", "width": 8, "picture": b"\xff", **values})


def test_same_id_is_one_job(jobs):
    assert jobs.accept(a_job(), 60)[1]
    again, is_new = jobs.accept(a_job(), 60)
    assert not is_new and again.state == spool.WAITING
    with pytest.raises(spool.OtherContent):
        jobs.accept(a_job(picture=b"\x00"), 60)
    with pytest.raises(spool.OtherContent):
        jobs.accept(a_job(printer="q"), 60)


def test_same_id_is_one_job_after_it_was_printed(jobs):
    jobs.accept(a_job(), 60)
    assert jobs.move("job-00001", spool.WAITING, spool.PRINTING)
    assert jobs.move("job-00001", spool.PRINTING, spool.PRINTED)
    again, is_new = jobs.accept(a_job(), 60)
    assert not is_new and again.state == spool.PRINTED and again.picture is None
    assert jobs.next_waiting("p") is None


def test_a_state_changes_once(jobs):
    jobs.accept(a_job(), 60)
    assert jobs.move("job-00001", spool.WAITING, spool.PRINTING)
    assert not jobs.move("job-00001", spool.WAITING, spool.FAILED)


def test_what_was_printing_when_it_stopped_is_unknown(jobs, tmp_path):
    jobs.accept(a_job(), 60)
    jobs.accept(a_job("job-00002"), 60)
    jobs.move("job-00001", spool.WAITING, spool.PRINTING)
    jobs.close()
    after = spool.Spool(tmp_path / "spool.sqlite")
    assert after.recover(["p"]) == {"p"}
    assert after.get("job-00001").state == spool.UNKNOWN
    assert after.next_waiting("p").id == "job-00002"


def test_a_job_is_reprinted_once(jobs):
    jobs.accept(a_job(), 60)
    jobs.accept(a_job("job-00002", reprint_of="job-00001"), 60)
    with pytest.raises(spool.OtherContent, match="once more already"):
        jobs.accept(a_job("job-00003", reprint_of="job-00001"), 60)


def test_quota_and_expiry(jobs):
    for number in range(3):
        jobs.accept(a_job(f"job-0000{number}"), -1)
    with pytest.raises(spool.SpoolFull):
        jobs.accept(a_job("job-00009"), 60)
    assert jobs.next_waiting("p") is None
    assert jobs.get("job-00001").state == spool.FAILED and jobs.get("job-00001").reason == "expired"
    assert jobs.accept(a_job("job-00009"), 60)[1]


def test_papers_nobody_looks_at_do_not_block(jobs):
    for number in range(5):
        jobs.accept(a_job(f"job-0000{number}"), 60)
        jobs.move(f"job-0000{number}", spool.WAITING, spool.PRINTING)
        jobs.move(f"job-0000{number}", spool.PRINTING, spool.UNKNOWN, "lost")
    jobs._db.execute("UPDATE job SET changed = changed - 8 * 86400 WHERE id = 'job-00003'")
    jobs.purge()
    assert jobs.get("job-00003").reason == "nobody_looked" and jobs.get("job-00004").state == spool.UNKNOWN


def test_what_was_accepted_is_on_disk(jobs, tmp_path):
    """Seen by another connection at once: committed, in a log that is flushed at every commit."""
    jobs.accept(a_job(), 60)
    other = sqlite3.connect(tmp_path / "spool.sqlite")
    assert other.execute("SELECT id FROM job").fetchall() == [("job-00001",)]
    assert jobs._db.execute("PRAGMA synchronous").fetchone() == (2,)
    assert jobs._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    other.close()


# -- status bytes ----------------------------------------------------------------------------------
def test_answers_are_told_apart():
    reader = status.Reader()
    stream = bytes.fromhex("12 1c000000 3722 20202021 00 00 11 13 5f414200")
    kinds = [(answer.kind, answer.data) for byte in stream for answer in reader.feed(bytes([byte]))]
    assert kinds == [
        ("realtime", b"\x12"),
        ("asb", bytes.fromhex("1c000000")),
        ("process", b"   !"),
        ("queued", b"\0"),
        ("block", b"_AB"),
    ]


@given(st.binary(max_size=300), st.lists(st.integers(0, 300)))
def test_any_bytes_in_any_pieces_are_read_alike(data, cuts):
    whole = status.Reader().feed(data)
    reader, pieces = status.Reader(), []
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for first, last in zip(edges, edges[1:], strict=False):
        pieces += reader.feed(data[first:last])
    assert pieces == whole


def test_status_of_a_printer_in_trouble():
    """ASB: cover open; paper end. A printer that sends it is not online because some byte came."""
    assert status.from_asb(bytes.fromhex("38000000")).trouble == "cover_open"
    assert status.from_asb(bytes.fromhex("18000c00")).trouble == "paper_end"
    assert status.from_asb(bytes.fromhex("10000300")) == status.Status(True, False, "near_end", "", 0)
    assert status.from_asb(bytes.fromhex("18000000")).trouble == "offline"


# -- ESC/POS ---------------------------------------------------------------------------------------
def rows_of(commands, size):
    """The rows that come out of ``commands``, white ones for feeds."""
    rows = []
    for command in commands:
        if command.startswith(b"\x1bJ"):
            rows += [bytes(size)] * command[2]
        else:
            head, data = command[:8], command[8:]
            assert head[:4] == b"\x1dv0\0" and int.from_bytes(head[4:6], "little") == size
            count = int.from_bytes(head[6:8], "little")
            assert count <= 255 and len(data) == count * size
            rows += [data[row * size : (row + 1) * size] for row in range(count)]
    return rows


@given(st.lists(st.tuples(st.integers(1, 300), st.sampled_from([0, 1, 255])), max_size=12))
def test_every_row_comes_out(bands):
    size = 3
    data = b"".join(bytes([value]) * size * count for count, value in bands)
    commands = escpos.picture(data, size * 8)
    assert b"".join(rows_of(commands, size)) == data


def test_white_is_fed_not_sent():
    commands = escpos.picture(bytes(72 * 600) + b"\x01" * 72, 576)
    assert [len(command) for command in commands] == [3, 3, 3, 80]


def test_no_command_hides_in_a_picture():
    for harm in (b"\x10\x05\x01", b"\x10\x05\x02", b"\x10\x14\x01\x00\x01", b"\x10\x14\x08"):
        row = harm.ljust(8, b"\xff")
        (command,) = escpos.picture(row, 64)
        changed = int.from_bytes(row, "big") ^ int.from_bytes(command[8:], "big")
        assert harm[:2] not in command[8:] and changed.bit_count() == 1  # one dot


def test_process_ids_are_printable_and_differ():
    ids = {escpos.process_id(number)[1] for number in (0, 1, 94, 95, 95**4 - 1)}
    assert len(ids) == 5 and all(0x20 <= byte <= 0x7E for digits in ids for byte in digits)


# -- pictures --------------------------------------------------------------------------------------
def png(image, kind="PNG"):
    stream = io.BytesIO()
    image.save(stream, kind)
    return stream.getvalue()


def test_bits_of_the_till():
    bits = b"\xaa" * 72 * 10
    assert picture.from_bits(zlib.compress(bits), 576, 10) == bits


TEN_ROWS = zlib.compress(bytes(720))


@pytest.mark.parametrize("rows, data", [(11, TEN_ROWS), (9, TEN_ROWS), (10, b"\0"), (10, b"")])
def test_bits_that_are_not_what_they_say(rows, data):
    with pytest.raises(picture.PictureError):
        picture.from_bits(data, 576, rows)


def test_bits_that_would_fill_the_memory():
    """256 megabytes of nothing in a quarter of a megabyte: unpacked no further than announced."""
    bomb = zlib.compress(bytes(1 << 28), 9)
    tracemalloc.start()
    try:
        with pytest.raises(picture.PictureError, match="is not 576 × 100"):
            picture.from_bits(bomb, 576, 100)
        with pytest.raises(picture.PictureError, match="cannot be printed"):
            picture.from_bits(bomb, 576, 1 << 22)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_files_become_black_and_white():
    image = Image.new("RGB", (16, 2), "white")
    image.putpixel((0, 0), (0, 0, 0))
    assert picture.from_file(png(image), 16) == bytes.fromhex("80000000")
    assert picture.from_file(png(image), 32) == bytes.fromhex("0080000000000000")
    assert len(picture.from_file(png(Image.new("L", (1152, 100)), "JPEG"), 576)) == 72 * 50
    assert picture.from_file(png(Image.new("RGBA", (8, 1), (0, 0, 0, 0))), 8) == b"\0"


def test_files_that_cannot_be_printed():
    noise = png(Image.effect_noise((64, 64), 90))
    for data in (b"", b"GIF89a", noise[: len(noise) // 2], png(Image.new("1", (20, 30000)))):
        with pytest.raises(picture.PictureError):
            picture.from_file(data, 576)
    with pytest.raises(picture.PictureError):
        picture.from_file(png(Image.new("1", (20000, 20000))), 576)


# -- who may ask -----------------------------------------------------------------------------------
@pytest.fixture
def judge(tmp_path):
    config = Config(state=tmp_path, origins=("https://erp.example.jp",), hosts=("proxy.local",))
    keys = security.Keys(tmp_path / "keys.json")
    keys.pair("s" * 32)
    return security.Gate(config, keys)


def sign(judge, method="PUT", path="/jobs/x", body=b"b", moment=None, scopes=("print",), secret="s" * 32, lifetime=60):
    claims = security.make_claims(judge.keys.proxy_id, "till 1", scopes, lifetime)
    moment = str(int(time.time() * 1000)) if moment is None else moment
    sent = security.signature(security.till_key(secret, claims), method, path, body, moment, claims)
    return f"Till {claims}.{moment}.{sent}"


def test_signed_requests_pass_once(judge):
    header = sign(judge)
    assert judge.scopes(header, "PUT", "/jobs/x", b"b") == {"print"}
    with pytest.raises(security.Denied, match="sent before") as denied:
        judge.scopes(header, "PUT", "/jobs/x", b"b")
    assert (denied.value.status, denied.value.code) == (401, "replayed")
    judge.keys.pair("")
    with pytest.raises(security.Denied, match="not paired") as denied:
        judge.scopes(sign(judge), "PUT", "/jobs/x", b"b")
    assert (denied.value.status, denied.value.code) == (401, "unpaired")


def test_requests_signed_otherwise_do_not(judge, tmp_path):
    old = str(int((time.time() - 300) * 1000))
    other = security.Gate(judge.config, replace(judge.keys, path=tmp_path / "other.json"))
    for header, says, code in (
        ("", "not signed", "unsigned"),
        ("Bearer x", "not signed", "unsigned"),
        (sign(judge, secret="t" * 32), "paired with", "other_odoo"),
        (sign(judge, body=b"other"), "paired with", "other_odoo"),
        (sign(judge, path="/jobs/y"), "paired with", "other_odoo"),
        (sign(judge, method="POST"), "paired with", "other_odoo"),
        (sign(other), "another proxy", "other_proxy"),
        (sign(judge, moment=old), "clocks", "clock"),
        (sign(judge, moment="soon"), "clocks", "clock"),
        (sign(judge, lifetime=-1), "has ended", "expired"),
    ):
        with pytest.raises(security.Denied, match=says) as denied:
            judge.scopes(header, "PUT", "/jobs/x", b"b")
        assert (denied.value.status, denied.value.code) == (401, code)


def test_hosts_and_origins(judge):
    for host in ("127.0.0.1:8069", "10.0.0.9", "localhost:8069", "proxy.local", "[::1]:8069"):
        judge.host(host)
    for host in ("evil.example", "proxy.local.evil.example:8069", ""):
        with pytest.raises(security.Denied):
            judge.host(host)
    judge.origin("https://erp.example.jp", "10.0.0.9:8069", "http")
    judge.origin("http://10.0.0.9:8069", "10.0.0.9:8069", "http")
    for origin in ("", None, "null", "http://erp.example.jp", "https://erp.example.jp.evil.example"):
        with pytest.raises(security.Denied):
            judge.origin(origin, "10.0.0.9:8069", "http")


def test_many_requests_are_slowed(judge):
    for _number in range(int(security.BURST)):
        judge.rate("10.0.0.7")
    with pytest.raises(security.Denied) as denied:
        judge.rate("10.0.0.7")
    assert denied.value.status == 429
    judge.rate("10.0.0.8")


def test_a_code_pairs_once_and_not_by_guessing():
    pairing = security.Pairing()
    code = pairing.offer()
    assert not pairing.take("00000000" if code != "00000000" else "1")
    assert pairing.take(code) and not pairing.take(code)
    code = pairing.offer()
    for _number in range(security.PAIR_TRIES):
        assert not pairing.take("no")
    assert not pairing.take(code)


def test_keys_are_for_their_user_only(judge, tmp_path):
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    assert security.Keys(tmp_path / "keys.json").secret == "s" * 32


# -- words -----------------------------------------------------------------------------------------
def test_every_reason_has_words():
    from pos_hardware_proxy.printer import ABSENT

    for reason in (*ABSENT, "paper_end", "cover_open", "cutter", "unrecoverable", "recoverable", "offline"):
        for language in words.LANGUAGES:
            assert words.say(words.REASONS, reason, language) not in ("", reason)
    assert words.say(words.REASONS, "expired: paper_end", "en").startswith("It waited too long. Out of paper")
