"""Customers: every few seconds somebody buys, sometimes brings something back or cancels."""

import logging
import random
import threading
from collections import deque

from demo import catalogue, layout
from demo.processes import DemoError

_logger = logging.getLogger(__name__)
PAUSE = (2.0, 6.0)  # seconds between two customers
KEEP = 5  # pieces that stay on the shelf


class Traffic:
    """Switched on and off while the demo runs; ``log`` holds what happened last, in words."""

    def __init__(self, sandboxes):
        self.sandboxes = sandboxes
        self.log = deque(maxlen=12)
        self.made = 0
        self._on, self._stopped = threading.Event(), threading.Event()
        self._sold = deque(maxlen=40)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_on(self):
        return self._on.is_set()

    def switch(self, on):
        (self._on.set if on else self._on.clear)()

    def stop(self):
        self._stopped.set()
        self._on.set()
        self._thread.join(5)

    def _run(self):
        while True:
            self._on.wait()
            if self._stopped.wait(random.uniform(*PAUSE)):
                return
            if not self.is_on:
                continue
            try:
                self.customer()
            except (DemoError, OSError) as error:
                # A sandbox with a fault switched on; the shop goes on.
                _logger.info("no sale: %s", error)

    def customer(self):
        """One customer somewhere."""
        chance = random.random()
        if chance < 0.06 and self._sold:
            system, store, external_id = self._sold.popleft()
            action, word = random.choice((("refund", "返品"), ("cancel", "取消")))
            self.sandboxes[system].do(action, id=external_id)
            self._note(f"{store.name}: {word} {external_id}")
            return
        store = random.choices((layout.GINZA, layout.UMEDA, layout.WEB), (4, 4, 3))[0]
        self.buy(store)

    def buy(self, store):
        items = self._basket(store)
        if not items:
            return None
        done = self.sandboxes[store.system].do("sell", items=items, store=store.external_id)
        self._sold.append((store.system, store, done["id"]))
        names = {item.code: item.name for item in catalogue.products()}
        text = "、".join(f"{names[i['code']]}×{i['quantity']}" for i in items)
        self._note(f"{store.name}: {text} ¥{done['total']:,}")
        return done

    def _basket(self, store):
        levels = self.sandboxes[store.system].levels().get(store.external_id, {})
        there = [code for code, level in levels.items() if level > KEEP]
        chosen = random.sample(there, min(len(there), random.choice((1, 1, 2, 3))))
        return [{"code": code, "quantity": random.choice((1, 1, 2))} for code in chosen]

    def _note(self, text):
        self.made += 1
        self.log.appendleft(text)
