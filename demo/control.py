"""The demo's own little page: traffic on and off, a customer now, faults of the outside systems."""

import html
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from demo import layout
from demo.processes import DemoError

STORES = {store.key: store for store in layout.STORES if store.system}
FAULTS = {  # of the sandboxes: what it is, for people
    "timeout_after_apply": "実行後に応答なし / applied, but no answer",
    "status_500": "エラー 500 / error 500",
    "status_429": "回数制限 429 / too many requests",
    "expire_token": "トークン失効 / token expires",
    "duplicate_webhooks": "Webhook の二重送信 / webhooks twice",
    "late_webhooks": "Webhook の遅延 / webhooks late",
    "reordered_webhooks": "Webhook の順序逆転 / webhooks out of order",
    "lost_webhooks": "Webhook の欠落 / webhooks lost",
}
PAGE = """<!doctype html><html lang="ja"><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<title>デモの操作</title>
<style>
body {{ font: 16px/1.6 sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222 }}
button {{ font: inherit; padding: .3rem .8rem; margin: .2rem; border: 1px solid #888; border-radius: .3rem }}
button {{ background: #fff; cursor: pointer }}
button.on {{ background: #714b67; color: #fff }}
td {{ padding: .2rem .8rem .2rem 0 }}
form {{ display: inline }}
.log {{ color: #555 }}
</style>
<h1>デモの操作 <small>Demo controls</small></h1>
<p><a href="{url}/odoo">Odoo を開く / open Odoo</a>(admin / admin)</p>
<h2>来客 <small>Traffic</small></h2>
<p>{traffic} これまで {made} 件 / {made} so far</p>
<p>いま1人来店 / one customer now: {stores}</p>
<p class="log">{log}</p>
<h2>相手側の障害 <small>Faults of the other side</small></h2>{faults}</html>"""


class Control:
    def __init__(self, port, url, traffic):
        self.url, self.traffic = url, traffic
        control = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                wants_json = "application/json" in self.headers.get("Accept", "")
                control.answer(self, wants_json)

            def do_POST(self):
                length = min(int(self.headers.get("Content-Length") or 0), 4096)
                values = {k: v[0] for k, v in parse_qs(self.rfile.read(length).decode()).items()}
                try:
                    control.act(self.path, values)
                except (DemoError, KeyError, ValueError) as error:
                    self.send_error(400, explain=str(error))
                    return
                control.answer(self, "application/json" in self.headers.get("Accept", ""), back=True)

            def log_message(self, *_args):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def act(self, path, values):
        if path == "/traffic":
            self.traffic.switch(values["on"] == "1")
        elif path == "/customer":
            self.traffic.buy(STORES[values["store"]])
        elif path == "/fault":
            self.traffic.sandboxes[values["system"]].set_faults(**{values["fault"]: int(values["count"])})
        else:
            raise ValueError(f"no such control: {path}")

    def answer(self, handler, wants_json, back=False):
        if wants_json:
            state = {"traffic": self.traffic.is_on, "made": self.traffic.made, "log": list(self.traffic.log)}
            return _send(handler, json.dumps(state, ensure_ascii=False), "application/json")
        if back:
            handler.send_response(303)
            handler.send_header("Location", "/")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return None
        return _send(handler, self.page(), "text/html")

    def page(self):
        on = self.traffic.is_on
        traffic = _button("traffic", "止める / stop" if on else "始める / start", on, on=int(not on))
        stores = " ".join(_button("customer", f"{s.name} / {s.name_en}", store=key) for key, s in STORES.items())
        tables = []
        for system, sandbox in self.traffic.sandboxes.items():
            active = sandbox.state()["faults"]
            rows = "".join(
                f"<tr><td>{text}</td><td>"
                + _button("fault", "1回 / once", system=system, fault=name, count=1)
                + _button("fault", "続ける / on", bool(active.get(name)), system=system, fault=name, count=-1)
                + _button("fault", "なし / off", system=system, fault=name, count=0)
                + "</td></tr>"
                for name, text in FAULTS.items()
                if name in active
            )
            tables.append(f"<h3>{html.escape(layout.CHANNELS[system][0])}</h3><table>{rows}</table>")
        log = "<br>".join(html.escape(line) for line in self.traffic.log)
        return PAGE.format(
            url=self.url, traffic=traffic, made=self.traffic.made, stores=stores, log=log, faults="".join(tables)
        )


def _button(action, text, active=False, **values):
    hidden = "".join(f'<input type="hidden" name="{name}" value="{value}">' for name, value in values.items())
    style = ' class="on"' if active else ""
    return f'<form method="post" action="/{action}">{hidden}<button{style}>{html.escape(text)}</button></form>'


def _send(handler, text, kind):
    body = text.encode()
    handler.send_response(200)
    handler.send_header("Content-Type", f"{kind}; charset=utf-8")
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)
