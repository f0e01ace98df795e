"""Receipts through everything that can go wrong, thousands of them; the printers' own ledgers are the judge.

    ./run bench print-faults [--jobs 10000] [--seed N]

Twenty tills print on two printers through one proxy. Meanwhile, at random: lines are closed or reset after any number
of bytes, printers lose their power, run out of paper, fall silent; the proxy is killed and started again; tills hear no
answer and send the same job again, also three times at once. Where the proxy says "unknown", a person looks at the
papers and either says that it came out, or asks for a reprint.

lost_or_doubled_jobs   receipts that were called printed and are on no paper; and receipts that are on more than one
                       paper without the mark of a reprint; and jobs of which the proxy knows nothing any more
"""

import argparse
import asyncio
import contextlib
import random
import tempfile
import time
from pathlib import Path

import _lab
import _till
import aiohttp
from pos_hardware_proxy.marks import reprint_mark
from pos_hardware_proxy.virtual_printer import VirtualPrinter

TILLS, ROWS = 20, 60
ENDED = ("printed", "failed")
MARK = reprint_mark(576)
# How often each fault comes, relative to the others.
FAULTS = {"reset": 6, "drop": 6, "power": 3, "paper": 3, "silent": 1, "kill": 1}


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
            number = int.from_bytes(picture[:72], "big") >> 32
            if picture.rstrip(b"\0") == _till.paper(number, ROWS):
                self.count.setdefault(number, []).append(marked)
        return self.count


class Shop:
    def __init__(self, folder, jobs, chance):
        self.folder, self.jobs, self.random = folder, jobs, chance
        self.devices = {name: VirtualPrinter(keep=None, events=1000) for name in ("receipt", "bar")}
        self.papers = {name: Papers(device) for name, device in self.devices.items()}
        self.port, self.todo, self.outcomes, self.faults = _till.free_port(), iter(range(1, jobs + 1)), {}, {}
        self.asked, self.calm = 0, False

    async def run(self):
        for device in self.devices.values():
            await device.start()
        ports = {name: device.port for name, device in self.devices.items()}
        self.config, self.keys = _till.configure(self.folder, self.port, ports)
        await self._start_proxy()
        trouble = asyncio.create_task(self._trouble())
        await asyncio.gather(*(self._till(number) for number in range(TILLS)))
        trouble.cancel()
        self.proxy.terminate()
        self.proxy.wait(10)
        for device in self.devices.values():
            await device.stop()

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
            for receipt in self.todo:
                self.outcomes[receipt] = await self._sell(till, receipt)

    async def _sell(self, till, receipt):
        """Print a receipt and stay until it is known what became of it; the last state."""
        printer = "receipt" if receipt % 2 else "bar"
        job = await self._insist(lambda: self._send(till, receipt, printer))
        reprints = 0
        while job["state"] not in ENDED:
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
        return job["state"]

    async def _send(self, till, receipt, printer):
        """Often once; sometimes three times at once, as by an impatient cashier."""
        picture, job_id = _till.paper(receipt, ROWS), f"job-{receipt:06}"
        times = 3 if self.random.random() < 0.05 else 1
        sent = [till.print(picture, job_id, wait=2, printer=printer) for _time in range(times)]
        return (await asyncio.gather(*sent))[0]

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
        kinds, weights = list(FAULTS), list(FAULTS.values())
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
            lost += state is None or (state == "printed" and not marks)
            doubled += marks.count(False) > 1
        return lost, doubled


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    arguments = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder), arguments.jobs, random.Random(arguments.seed))
        asyncio.run(shop.run())
    lost, doubled = shop.judge()
    states = [list(shop.outcomes.values()).count(state) for state in ENDED]
    marked = sum(True in marks for printer in shop.papers.values() for marks in printer.count.values())
    _lab.figure(
        "lost_or_doubled_jobs", lost + doubled, "jobs", baseline=0, lost=lost, doubled=doubled, jobs=arguments.jobs,
        printed=states[0], failed=states[1], asked=shop.asked, reprinted=marked, faults=shop.faults,
        seconds=time.monotonic() - began, seed=arguments.seed,
    )  # fmt: skip


if __name__ == "__main__":
    main()
