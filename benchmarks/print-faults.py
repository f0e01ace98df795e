"""Receipts through everything that can go wrong, thousands of them; the printers' own ledgers are the judge.

    ./run bench print-faults [--jobs 10000] [--seed N] [--relayed 0.1]

Twenty tills print on two printers through one proxy. Meanwhile, at random: lines are closed or reset after any number
of bytes, printers lose their power, run out of paper, fall silent; the proxy is killed and started again; tills hear no
answer and send the same job again, also three times at once.

A share of the receipts goes through a real Odoo to the proxy, as much again on both ways at once. That line breaks as
well: requests are refused, served without an answer, or served twice, Odoo is away, the open line is cut.

Where the proxy says "unknown", a person looks at the papers and either says that it came out, or asks for a reprint.

lost_or_doubled_jobs   receipts that were called printed and are on no paper; and receipts that are on more than one
                       paper without the mark of a reprint; and jobs of which the proxy knows nothing any more
"""

import argparse
import asyncio
import contextlib
import random
import sys
import tempfile
import time
from pathlib import Path

import _lab
import _relay
import _till
import aiohttp
from pos_hardware_proxy.marks import reprint_mark
from pos_hardware_proxy.virtual_printer import VirtualPrinter

TILLS, ROWS = 20, 60
ENDED = ("printed", "failed")
MARK = reprint_mark(576)
# How often each fault comes, relative to the others.
FAULTS = {"reset": 6, "drop": 6, "power": 3, "paper": 3, "silent": 1, "kill": 1}
RELAY_FAULTS = {"cut": 3, "away": 2}


def picture_of(receipt):
    """Its paper; no bytes of its number look like a real-time command, for the proxy changes a dot of those."""
    return _till.paper(receipt << 8 | 0xFF, ROWS)


class Papers:
    """What came out of a printer, by receipt: [whether it is marked, …] for each whole picture."""

    def __init__(self, device):
        self.device, self.seen, self.count = device, 0, {}

    def read(self):
        papers = self.device.papers
        while self.seen < len(papers):
            bits = papers[self.seen].bits()
            self.seen += 1
            marked = bits.startswith(MARK)
            picture = bits[len(MARK) :] if marked else bits
            number = int.from_bytes(picture[:72], "big") >> 40
            if picture.rstrip(b"\0") == picture_of(number):
                self.count.setdefault(number, []).append(marked)
        return self.count


class Shop:
    def __init__(self, folder, jobs, chance, relay=None):
        """:param relay: (database, id of its till, share of the receipts) of the way through Odoo"""
        self.folder, self.jobs, self.random, self.relay = folder, jobs, chance, relay
        self.line, self.roads = _relay.Line(chance), {"direct": 0, "relayed": 0, "both": 0}
        self.devices = {name: VirtualPrinter(keep=None, events=1000) for name in ("receipt", "bar")}
        self.papers = {name: Papers(device) for name, device in self.devices.items()}
        self.port, self.todo, self.outcomes, self.faults = _till.free_port(), iter(range(1, jobs + 1)), {}, {}
        self.asked, self.told = 0, {}  # receipt → the way it went, and what was heard of it

    async def run(self):
        for device in self.devices.values():
            await device.start()
        ports = {name: device.port for name, device in self.devices.items()}
        if self.relay:
            await self.line.start()
        self.config, self.keys = _till.configure(self.folder, self.port, ports, self.line.url if self.relay else "")
        await self._start_proxy()
        async with self._odoo_session():
            trouble = asyncio.create_task(self._trouble())
            await asyncio.gather(*(self._till(number) for number in range(TILLS)))
            trouble.cancel()
        self.proxy.terminate()
        self.proxy.wait(10)
        for device in self.devices.values():
            await device.stop()

    @contextlib.asynccontextmanager
    async def _odoo_session(self):
        """One login for all tills, while nothing is broken yet."""
        jar, limit = aiohttp.CookieJar(unsafe=True), aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(cookie_jar=jar, timeout=limit) as self.session:
            if self.relay:
                self.line.calm = True
                await _relay.Till(self.session, self.line.url, self.relay[1]).log_in(self.relay[0])
                self.line.calm = False
            yield
        if self.relay:
            self.line.stop()

    async def _start_proxy(self):
        self.proxy = _till.start("-m", "pos_hardware_proxy", "--config", str(self.config))
        await _till.answers(self.port)

    # -- tills ---------------------------------------------------------------------------------
    async def _till(self, number):
        # Each till has an address of its own, as in a shop: the proxy slows down one that asks too often.
        connector = aiohttp.TCPConnector(local_addr=(f"127.0.1.{number + 1}", 0))
        limit = aiohttp.ClientTimeout(total=3)
        async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
            till = _till.Till(session, f"http://127.0.0.1:{self.port}", self.keys.proxy_id)
            relayed = self.relay and _relay.Till(self.session, self.line.url, self.relay[1])
            for receipt in self.todo:
                self.outcomes[receipt] = await self._sell(till, relayed, receipt)

    async def _sell(self, till, relayed, receipt):
        """Print a receipt and stay until it is known what became of it; the last state."""
        printer = "receipt" if receipt % 2 else "bar"
        share = self.relay[2] if self.relay else 0
        road = self.random.choices(list(self.roads), (1 - 2 * share, share, share))[0]
        self.roads[road] += 1
        self.told.setdefault(receipt, []).append(road)
        if road == "both":
            # Neither knows of the other; what became of it is asked on one of them.
            sent = [self._insist(lambda: self._send(till, receipt, printer)), self._leave(relayed, receipt, printer)]
            jobs = await asyncio.gather(*sent)
            job, till = self.random.choice(list(zip(jobs, (till, relayed), strict=True)))
        elif road == "relayed":
            job, till = await self._leave(relayed, receipt, printer), relayed
        else:
            job = await self._insist(lambda: self._send(till, receipt, printer))
        reprints = 0
        while job["state"] not in ENDED:
            self.told[receipt].append(f"{job['state']}:{job.get('reason', '')}")
            if job["state"] == "unknown":
                self.asked += 1
                came_out = await self._look(printer, receipt)
                if came_out:
                    job = await self._insist(lambda job=job: till.resolve(job, came_out=True))
                else:
                    reprints += 1
                    new = f"job-{receipt:06}-{reprints}"
                    job = await self._insist(lambda job=job, new=new: till.resolve(job, reprint=new))
            else:
                job = await self._insist(lambda job=job: till.see(job, 2))
        self.told[receipt].append(f"{job['state']}:{job.get('reason', '')}")
        return job["state"]

    async def _send(self, till, receipt, printer):
        """Often once; sometimes three times at once, as by an impatient cashier."""
        picture, job_id = picture_of(receipt), f"job-{receipt:06}"
        times = 3 if self.random.random() < 0.05 else 1
        sent = [till.print(picture, job_id, wait=2, printer=printer) for _time in range(times)]
        return (await asyncio.gather(*sent))[0]

    async def _leave(self, relayed, receipt, printer):
        picture, job_id = picture_of(receipt), f"job-{receipt:06}"
        return await self._insist(lambda: relayed.print(picture, job_id, printer))

    @staticmethod
    async def _insist(ask):
        """Ask until there is an answer that is a job."""
        for _attempt in range(2000):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError, AssertionError, OSError):
                answer = await ask()
                if "state" in answer:
                    return answer
            await asyncio.sleep(0.1)
        raise SystemExit("the proxy does not answer any more")

    async def _look(self, printer, receipt):
        """A person goes to the printer, and looks when it has come to rest."""
        device = self.devices[printer]
        while not (device.power and device.idle):
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        return receipt in self.papers[printer].read()

    # -- trouble -------------------------------------------------------------------------------
    async def _trouble(self):
        faults = FAULTS | (RELAY_FAULTS if self.relay else {})
        kinds, weights = list(faults), list(faults.values())
        while True:
            await asyncio.sleep(self.random.uniform(0.05, 0.4))
            kind = self.random.choices(kinds, weights)[0]
            self.faults[kind] = self.faults.get(kind, 0) + 1
            await getattr(self, f"_{kind}")(self.random.choice(list(self.devices.values())))

    async def _reset(self, device):
        device.state.reset_after = self.random.randrange(0, 6000)

    async def _drop(self, device):
        device.state.drop_after = self.random.randrange(0, 6000)

    async def _power(self, device):
        device.power_off()
        await asyncio.sleep(self.random.uniform(0.05, 0.5))
        device.power_on()

    async def _paper(self, device):
        device.state.paper_left = self.random.randrange(0, 300)
        await asyncio.sleep(self.random.uniform(0.05, 0.5))
        device.state.paper_left = None
        device.state.paper_end = False

    async def _silent(self, device):
        device.state.silent = True
        await asyncio.sleep(self.random.uniform(0.05, 1.0))
        device.state.silent = False

    async def _cut(self, _device):
        self.line.cut()

    async def _away(self, _device):
        self.line.is_away = True
        self.line.cut()
        await asyncio.sleep(self.random.uniform(0.05, 1.0))
        self.line.is_away = False

    async def _kill(self, _device):
        self.proxy.kill()
        self.proxy.wait(10)
        await asyncio.sleep(self.random.uniform(0.0, 0.3))
        await self._start_proxy()

    # -- judgement -----------------------------------------------------------------------------
    def judge(self):
        """(receipts lost, receipts doubled)."""
        lost = doubled = 0
        papers = {}
        for printer in self.papers.values():
            papers |= printer.read()
        for receipt in range(1, self.jobs + 1):
            marks = papers.get(receipt, [])
            state = self.outcomes.get(receipt)
            is_lost, is_doubled = state is None or (state == "printed" and not marks), marks.count(False) > 1
            if is_lost or is_doubled:
                print(f"receipt {receipt}: papers {marks}, {self.told.get(receipt)}", file=sys.stderr)
            lost, doubled = lost + is_lost, doubled + is_doubled
        return lost, doubled


def odoo(stack, folder, share):
    """(database, id of its till, share) of an Odoo that runs as long as the stack."""
    database = stack.enter_context(_lab.database("faults"))
    with _lab.environment(database) as env:
        till = _relay.set_up(env, _till.pair(folder).proxy_id)
    stack.enter_context(_lab.server(database, cron_threads=0))
    return database, till, share


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    parser.add_argument("--relayed", type=float, default=0.1, help="share through Odoo, and again on both ways")
    arguments = parser.parse_args()
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        relay = odoo(stack, Path(folder), arguments.relayed) if arguments.relayed else None
        began = time.monotonic()
        shop = Shop(Path(folder), arguments.jobs, chance, relay)
        asyncio.run(shop.run())
        took = time.monotonic() - began
    lost, doubled = shop.judge()
    states = [list(shop.outcomes.values()).count(state) for state in ENDED]
    marked = sum(True in marks for printer in shop.papers.values() for marks in printer.count.values())
    _lab.figure(
        "lost_or_doubled_jobs", lost + doubled, "jobs", baseline=0, lost=lost, doubled=doubled, jobs=arguments.jobs,
        printed=states[0], failed=states[1], asked=shop.asked, reprinted=marked,
        roads=shop.roads, faults=shop.faults | shop.line.faults,
        seconds=took, seed=arguments.seed,
    )  # fmt: skip


if __name__ == "__main__":
    main()
