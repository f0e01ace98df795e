# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""From a till to paper and back, over real sockets: what came out is asked of the virtual printer, not of the proxy."""

import asyncio
import time
import uuid
import zlib

from pos_hardware_proxy.config import PrinterConfig
from pos_hardware_proxy.marks import reprint_mark
from pos_hardware_proxy.printer import Printer
from pos_hardware_proxy.spool import Job
from pos_hardware_proxy.virtual_printer import VirtualPrinter
from proxy_shop import WIDTH, on_paper, paper, process, run, shop, until

SOON = 4  # seconds: half of what a till waits, so a reason has come because it was known, not because time was up


def the(place, name="receipt"):
    return place.devices[name][0]


def test_a_receipt_is_printed_dot_for_dot(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            job = await place.till.print(paper(rows=1200))
            assert (job["state"], job["reason"]) == ("printed", "")
            assert on_paper(the(place)) == [paper(rows=1200)]
            # Nothing it does not know but zeros, which end whatever somebody else may have begun.
            assert {event.detail["data"].replace(" ", "").strip("0") for event in the(place).ledger.unknown} <= {""}

    run(story())


def test_the_same_job_again_is_answered_not_printed(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            job_id = str(uuid.uuid4())
            answers = await asyncio.gather(*(place.till.print(paper(), job_id) for _again in range(10)))
            answers.append(await place.till.print(paper(), job_id))
            assert {answer["state"] for answer in answers} == {"printed"}
            assert len(on_paper(the(place))) == 1
            other = zlib.compress(bytes(WIDTH // 8))
            status, answer = await place.till.ask("PUT", f"/jobs/{job_id}?width={WIDTH}&rows=1", other)
            assert status == 422 and "another print" in answer["error"]

    run(story())


def test_paper_out_is_said_before_the_wait_is_over_and_goes_on_by_itself(tmp_path):
    async def story():
        async with shop(tmp_path, paper_end=True) as place:
            began = time.monotonic()
            job = await place.till.print(paper())
            assert (job["state"], job["reason"]) == ("waiting", "paper_end")
            assert time.monotonic() - began < SOON
            the(place).state.paper_end = False
            job = await place.till.see(job)
            while job["state"] != "printed":
                job = await place.till.see(job)
            assert on_paper(the(place)) == [paper()]

    run(story())


def test_paper_that_ends_in_the_middle_is_not_sent_again(tmp_path):
    async def story():
        async with shop(tmp_path, paper_left=300) as place:
            job = await place.till.print(paper(rows=900), wait=1)
            await until(lambda: place.proxy.spool.get(job["id"]).reason == "paper_end")
            assert place.proxy.spool.get(job["id"]).state == "printing"
            the(place).state.paper_left = None
            the(place).state.paper_end = False
            await until(lambda: place.proxy.spool.get(job["id"]).state == "printed")
            assert on_paper(the(place)) == [paper(rows=900)]

    run(story())


def test_a_printer_that_is_off_gets_its_job_later(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            the(place).power_off()
            job = await place.till.print(paper())
            assert (job["state"], job["reason"]) == ("waiting", "refused")
            the(place).power_on()
            await until(lambda: place.proxy.spool.get(job["id"]).state == "printed")
            assert on_paper(the(place)) == [paper()]

    run(story())


def test_a_line_that_breaks_in_the_middle_asks_somebody(tmp_path):
    """Nobody knows; nothing is printed again by itself. What is reprinted says so, and follows on clean paper."""

    async def story():
        async with shop(tmp_path, keep_partial=True) as place:
            the(place).state.reset_after = 5000
            job = await place.till.print(paper(rows=400))
            assert (job["state"], job["reason"]) == ("unknown", "lost")
            other = await place.till.print(paper(seed=2))
            assert other["state"] == "printed"
            assert on_paper(the(place))[-1] == paper(seed=2)
            again = await place.till.resolve(job, reprint="reprint-1")
            assert again["reprint_of"] == job["id"]
            await until(lambda: place.proxy.spool.get("reprint-1").state == "printed")
            assert on_paper(the(place))[-1] == reprint_mark(WIDTH) + paper(rows=400)
            assert place.proxy.spool.get(job["id"]).state == "failed"

    run(story())


def test_somebody_saw_the_paper(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            the(place).state.drop_after = 5000
            job = await place.till.print(paper(rows=400))
            assert job["state"] == "unknown"
            for _twice in range(2):
                answer = await place.till.resolve(job, came_out=True)
                assert (answer["state"], answer["reason"]) == ("printed", "seen")
            assert "only an unknown one" in (await place.till.resolve(job, reprint="reprint-1"))["error"]

    run(story())


def test_a_proxy_that_is_told_to_stop_stops(tmp_path, monkeypatch):
    """Also when a job comes in that very moment."""
    monkeypatch.setattr("pos_hardware_proxy.tasks.AGAIN_S", 0.1)

    async def story():
        async with shop(tmp_path) as place:
            await asyncio.sleep(0.1)
            place.proxy.printer().wake()
            stopping = asyncio.create_task(place.proxy.printer().stop())
            assert (await asyncio.wait([stopping], timeout=10))[0] == {stopping}

    run(story())


def test_a_dead_printer_does_not_delay_another(tmp_path):
    async def story():
        async with shop(tmp_path, {"receipt": {}, "kitchen": {"role": "kitchen"}}) as place:
            the(place, "kitchen").power_off()
            stuck = await place.till.print(paper(), printer="kitchen", kind="kitchen")
            began = time.monotonic()
            for number in range(5):
                assert (await place.till.print(paper(number)))["state"] == "printed"
            assert time.monotonic() - began < SOON
            assert place.proxy.spool.get(stuck["id"]).state == "waiting"

    run(story())


def test_a_silent_printer_is_told_apart(tmp_path):
    async def story():
        async with shop(tmp_path, silent=True) as place:
            job = await place.till.print(paper())
            assert (job["state"], job["reason"]) == ("waiting", "silent")
            assert on_paper(the(place)) == []

    run(story())


def test_older_printers_confirm_by_queued_status_or_not_at_all(tmp_path):
    async def story():
        async with shop(tmp_path, {"receipt": {"confirm": "queued-status"}, "old": {"confirm": "none"}}) as place:
            assert (await place.till.print(paper()))["reason"] == ""
            job = await place.till.print(paper(), printer="old")
            assert (job["state"], job["reason"]) == ("printed", "unconfirmed")
            await until(lambda: on_paper(the(place, "old")) == [paper()])

    run(story())


def test_a_proxy_that_was_killed_while_printing_asks_somebody(tmp_path):
    """A process of its own, killed in the middle of a receipt: started again, it neither forgets nor repeats it."""

    async def story():
        device = VirtualPrinter(paper_speed=50)
        await device.start()
        async with process(tmp_path, [f"tcp://127.0.0.1:{device.port}"]) as place:
            job = await place.till.print(paper(rows=2000), wait=0)
            await until(lambda: "GS v 0" in device.ledger.commands)
            await place.kill()
            await place.start()
            job = await place.till.see({**job, "face": ""})
            assert (job["state"], job["reason"]) == ("unknown", "stopped")
            job = await place.till.print(paper(2))
            while job["state"] in ("waiting", "printing"):  # nothing that nobody has seen stands in its way
                job = await place.till.see(job)
            assert job["state"] == "printed"
            assert on_paper(device)[-1] == paper(2)
        await device.stop()

    run(story())


def test_a_printer_says_how_it_is_before_anybody_prints(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            reason = lambda: place.proxy.health()["printers"][0]["reason"]  # noqa: E731
            await until(lambda: place.proxy.health()["printers"][0]["paper"] == "ok")
            the(place).state.cover_open = True
            await until(lambda: reason() == "cover_open")
            the(place).state.cover_open = False
            await until(lambda: not reason())
            the(place).power_off()
            await until(lambda: reason() in ("lost", "refused", "silent"), 20)

    run(story())


def test_a_job_that_is_begun_at_once_goes_back_when_nothing_left(tmp_path):
    """The printer was well when last looked at; that it no longer is, is seen only now. Nobody need look at a paper."""

    async def story():
        async with shop(tmp_path) as place:
            printer, device = place.proxy.printers["receipt"], the(place)
            await place.till.print(paper(1))
            await until(lambda: printer.is_idle)
            device.state.silent = True
            job = await place.till.print(paper(2))
            assert (job["state"], job["reason"]) == ("waiting", "silent")
            device.state.silent = False
            await until(lambda: place.proxy.spool.get(job["id"]).state == "printed", 30)
            assert on_paper(device) == [paper(1), paper(2)]

    run(story())


def test_a_job_that_is_begun_at_once_is_not_forgotten_when_the_proxy_ends(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            printer = place.proxy.printers["receipt"]
            await place.till.print(paper(1))
            await until(lambda: printer.is_idle)
            async with printer._lock:  # the worker waits for it
                place.proxy.submit(Job("job-00002", "receipt", "receipt", WIDTH, paper(2)))
                assert place.proxy.spool.get("job-00002").state == "waiting"
            await until(lambda: printer.is_idle)
            place.proxy.submit(Job("job-00003", "receipt", "receipt", WIDTH, paper(3)))
            assert place.proxy.spool.get("job-00003").state == "printing"
            await printer.stop()
            assert place.proxy.spool.get("job-00003").state == "waiting"
            printer.start()
            await until(lambda: place.proxy.spool.get("job-00003").state == "printed")
            found = [[paper(n) for n in (1, 2, 3)].index(each) + 1 for each in on_paper(the(place))]
            assert found == [1, 2, 3]

    run(story())


class LateAnswers:
    """A printer that still owes the answer to an earlier receipt; the one to the next is given when it is told to."""

    def __init__(self):
        self.release, self.asked, self.port = asyncio.Event(), 0, 0

    async def start(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        return server

    async def _serve(self, reader, writer):
        while data := await reader.read(65536):
            writer.write(b"\x12" * data.count(b"\x10\x04"))
            for _each in range(data.count(b"\x1dr\x01")):
                self.asked += 1
                if self.asked == 1:
                    writer.write(b"\0\0")  # to the earlier receipt, and to this
                else:
                    await self.release.wait()
                    writer.write(b"\0")


def test_the_answer_to_an_earlier_receipt_confirms_no_later_one(tmp_path):
    """Queued statuses do not say which receipt they are for: after a start, those still owed are waited for."""

    async def story():
        device = LateAnswers()
        async with await device.start(), shop(tmp_path, {}) as place:
            config = PrinterConfig("late", f"tcp://127.0.0.1:{device.port}", confirm="queued-status")
            place.proxy.printers["late"] = printer = Printer(config, place.proxy.spool)
            printer.start()
            job = await place.till.print(paper(), printer="late", wait=0)
            await until(lambda: device.asked == 2)
            await asyncio.sleep(0.3)
            assert place.proxy.spool.get(job["id"]).state == "printing"
            device.release.set()
            await until(lambda: place.proxy.spool.get(job["id"]).state == "printed")

    run(story())


def test_the_drawer_opens_before_the_receipt_and_once(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            await place.till.print(paper(), "receipt-1", pulse=1)
            await place.till.print(paper(), "receipt-1", pulse=1)
            commands = the(place).ledger.of("pulse", "cut")
            assert [event.kind for event in commands] == ["pulse", "cut"]

    run(story())


def test_the_drawer_tells_whether_it_opened(tmp_path):
    async def story():
        kind = {"Content-Type": "application/json"}
        async with shop(tmp_path) as place:
            assert (await place.till.ask("PUT", "/drawer/open-0001", b"{}", kind))[1] == {"outcome": "opened"}
            assert (await place.till.ask("PUT", "/drawer/open-0001", b"{}", kind))[1] == {"outcome": "opened"}
            assert len(the(place).ledger.pulses) == 1
            the(place).state.drawer_open, the(place).state.drawer_stuck = False, True
            assert (await place.till.ask("PUT", "/drawer/open-0002", b"{}", kind))[1] == {"outcome": "not_seen"}

    run(story())


def test_the_drawer_s_sensor_is_learned_from_one_opening(tmp_path):
    """Which level means open differs: a closed drawer is opened once; the proxy keeps it, also over a restart."""

    async def story():
        options = {"receipt": {"drawer": True}}
        for polarity in (0, 1):
            folder = tmp_path / str(polarity)
            folder.mkdir()
            async with shop(folder, options) as place:
                device, printer = the(place), place.proxy.printers["receipt"]
                device.state.drawer_high_open = bool(polarity)
                assert await place.proxy.open_drawer("open-0001") == "pulsed"
                await until(lambda device=device: device.state.drawer_open)
                device.state.drawer_open, device.state.drawer_stuck = False, True
                assert not await printer.learn_drawer()
                assert await place.proxy.open_drawer("open-0002") == "pulsed"
                await until(lambda device=device: len(device.ledger.pulses) == 3)
                device.state.drawer_stuck = False
                assert await printer.learn_drawer()
                device.state.drawer_open = False
                assert await place.proxy.open_drawer("open-0003") == "opened"
                device.state.drawer_open, device.state.drawer_stuck = False, True
                assert await place.proxy.open_drawer("open-0004") == "not_seen"
            async with shop(folder, options) as place:
                assert place.proxy.printers["receipt"].open_level == printer.open_level == polarity

    run(story())


def test_the_drawer_opens_while_a_receipt_waits_for_paper(tmp_path):
    async def story():
        async with shop(tmp_path, paper_left=300) as place:
            job = await place.till.print(paper(rows=900))
            assert (job["state"], job["reason"]) == ("printing", "paper_end")
            kind = {"Content-Type": "application/json"}
            assert (await place.till.ask("PUT", "/drawer/open-0001", b"{}", kind))[1] == {"outcome": "opened"}
            behind = await place.till.print(paper(2))
            assert (behind["state"], behind["reason"]) == ("waiting", "paper_end")
            the(place).state.paper_left, the(place).state.paper_end = None, False
            await until(lambda: place.proxy.spool.get(behind["id"]).state == "printed")
            assert on_paper(the(place)) == [paper(rows=900), paper(2)]

    run(story())


def test_a_printer_that_takes_no_more_is_no_riddle(tmp_path):
    """Paper ends, its buffer is full, and half of the receipt could not even be sent."""

    async def story():
        async with shop(tmp_path, paper_left=300, buffer_bytes=2000, receive_window=2000) as place:
            picture = b"".join(bytes([row % 251 + 1]) * (WIDTH // 8) for row in range(20000))
            job = await place.till.print(picture)
            assert (job["state"], job["reason"]) == ("printing", "paper_end")
            kind = {"Content-Type": "application/json"}
            status, answer = await place.till.ask("PUT", "/drawer/open-0001", b"{}", kind)
            assert (status, answer["reason"]) == (503, "too_late")
            the(place).state.paper_left, the(place).state.paper_end = None, False
            await until(lambda: place.proxy.spool.get(job["id"]).state == "printed", 30)
            assert on_paper(the(place)) == [picture]
            assert not the(place).ledger.pulses  # nor later

    run(story())


def test_after_a_restart_nothing_is_swallowed(tmp_path):
    """The line broke in the middle of a picture; the printer still waits for its rest when the proxy comes back."""

    async def story():
        async with shop(tmp_path, keep_partial=True) as place:
            the(place).state.reset_after = 5000
            assert (await place.till.print(paper(rows=400)))["state"] == "unknown"
            await place.close()
            await place.open()
            assert (await place.till.print(paper(seed=2)))["state"] == "printed"
            assert on_paper(the(place))[-1].endswith(paper(seed=2))

    run(story())


def test_a_drawer_is_pulsed_once_also_after_a_restart(tmp_path):
    async def story():
        kind = {"Content-Type": "application/json"}
        async with shop(tmp_path) as place:
            assert (await place.till.ask("PUT", "/drawer/open-0001", b"{}", kind))[0] == 200
            await place.close()
            await place.open()
            status, answer = await place.till.ask("PUT", "/drawer/open-0001", b"{}", kind)
            assert status == 422 and "before" in answer["error"]
            assert len(the(place).ledger.pulses) == 1

    run(story())


def test_jobs_for_a_printer_that_is_gone_fail(tmp_path):
    async def story():
        async with shop(tmp_path, {"receipt": {}, "kitchen": {"role": "kitchen"}}) as place:
            the(place, "kitchen").power_off()
            job = await place.till.print(paper(), printer="kitchen", kind="kitchen")
            await place.close()
            device = place.devices.pop("kitchen")[0]
            await place.open()
            assert place.proxy.spool.get(job["id"]).reason == "no_printer"
            await device.stop()

    run(story())


def test_every_job_that_waits_knows_why(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            the(place).power_off()
            for number in range(4):
                began = time.monotonic()
                assert (await place.till.print(paper(number)))["reason"] == "refused"
                assert time.monotonic() - began < SOON
            the(place).power_on()
            await until(lambda: len(on_paper(the(place))) == 4)

    run(story())


def test_a_drawer_asked_for_too_long_ago_stays_shut(tmp_path):
    """The moment that was signed counts: on the way, or behind another that holds the printer, it grew old."""

    async def story():
        kind = {"Content-Type": "application/json"}
        async with shop(tmp_path) as place:
            place.till.late = 4000
            status, answer = await place.till.ask("PUT", "/drawer/open-0001", b"{}", kind)
            assert (status, answer["reason"]) == (503, "too_late")
            assert abs(answer["now"] - time.time() * 1000) < 60_000  # a till whose clock is wrong learns it here
            await place.till.print(paper(), pulse=1)
            place.till.late, printer = 1500, place.proxy.printer()
            async with printer._lock:
                status, answer = await place.till.ask("PUT", "/drawer/open-0002", b"{}", kind)
            assert (status, answer["reason"]) == (503, "too_late")
            assert not the(place).ledger.pulses
            status, answer = await place.till.ask("PUT", "/drawer/open-0003", b"{}", kind)
            assert (status, answer) == (200, {"outcome": "opened"})
            assert len(the(place).ledger.pulses) == 1

    run(story())


def test_a_pulse_never_waits_in_a_queue(tmp_path):
    """Without paper the drawer opens at once; with the printer off, it does not open later."""

    async def story():
        kind = {"Content-Type": "application/json"}
        async with shop(tmp_path, paper_end=True) as place:
            assert (await place.till.ask("PUT", "/drawer/open-0001", b"{}", kind))[0] == 200
            assert [event.detail["real_time"] for event in the(place).ledger.pulses] == [True]
            the(place).power_off()
            status, answer = await place.till.ask("PUT", "/drawer/open-0002", b"{}", kind)
            assert status == 503 and answer["reason"] in ("refused", "lost")
            the(place).power_on()
            the(place).state.paper_end = False
            await asyncio.sleep(0.5)
            assert len(the(place).ledger.pulses) == 1

    run(story())


def test_a_narrow_picture_is_printed_in_the_middle(tmp_path):
    async def story():
        async with shop(tmp_path) as place:
            await place.till.print(b"\xff" * 64, width=512)
            assert on_paper(the(place)) == [bytes(4) + b"\xff" * 64]

    run(story())
