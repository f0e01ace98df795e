"""``./run demo``: a Japanese retailer with two stores on one till system, a web store and Odoo's own till.

``--check`` sells through every way by itself, says what it measured, and ends.
"""

import argparse
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from demo import check, layout, template  # noqa: E402
from demo.control import Control  # noqa: E402
from demo.processes import DemoError  # noqa: E402
from demo.stage import Stage, sandbox_urls  # noqa: E402
from demo.traffic import Traffic  # noqa: E402

PAGE = """
======================================================================================================
 デモ商店:銀座店・梅田店(スマレジ)、オンラインストア(Shopify)、本店(Odoo のレジ)、在庫はひとつ
======================================================================================================
 1. 開く       {url}/odoo   ログイン admin / admin
               ほかのログイン: manager / manager(店長)、user / user(担当)、auditor / auditor(監査・閲覧のみ)
 2. 連携       {url}/odoo/action-pos_erp_bridge.bridge_dashboard_action
               各チャネルの状態、受信した売上、公開中の在庫が見られます。
 3. 本店で売る {url}/pos/ui/{till}
               商品を選び「支払い」→「現金」→「検証」。1秒ほどでオンラインストアの在庫が減ります。
               レシートとドロワー {paper}(用紙切れ・カバー開・電源断もここで)
               機器プロキシの状態 {proxy}
 4. 来客と障害 {control}
               来客(自動の売上)の開始・停止、いま1人来店、相手側の障害(応答なし、二重送信など)。
               curl でも: curl -d on=0 {control}/traffic
 5. 相手側     {smaregi}/_sandbox/state  {shopify}/_sandbox/state
               curl -H 'Content-Type: application/json' -d '{{"lost_webhooks": -1}}' {smaregi}/_sandbox/faults
               (0 で元どおり。通知が来なくても、定期取得で必ず追いつきます)
 終了          Ctrl-C
------------------------------------------------------------------------------------------------------
 Demo Shoten: Ginza and Umeda (Smaregi), an online store (Shopify), the main store (Odoo's till), one stock
 1. Open          {url}/odoo   login admin / admin   (others: manager, user, auditor; password = login)
                  English: click the avatar at the top right, My Preferences, Language.
 2. The bridge    {url}/odoo/action-pos_erp_bridge.bridge_dashboard_action
 3. Sell          {url}/pos/ui/{till}   pick goods, 支払い (Payment), 現金 (Cash), 検証 (Validate):
                  the online store's stock follows within a second or so.
                  The receipt and the drawer: {paper} (take its paper away there), the hardware proxy: {proxy}
 4. Traffic, faults   {control}         (or: curl -d on=0 {control}/traffic)
 5. The other side    {smaregi}/_sandbox/state  {shopify}/_sandbox/state
 Stop             Ctrl-C
======================================================================================================
"""


def say(text):
    print(text, file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser(prog="./run demo", description=__doc__)
    parser.add_argument("--check", action="store_true", help="go through every way by itself, then end")
    parser.add_argument("--no-traffic", action="store_true", help="nobody buys until you do")
    parser.add_argument("--rebuild", action="store_true", help="build the shop anew: yesterday's and today's business")
    parser.add_argument("--build-only", action="store_true", help="build the shop if there is none, then end")
    args = parser.parse_args()
    for stream in (sys.stdout, sys.stderr):  # a bare machine sets no locale
        stream.reconfigure(encoding="utf-8", errors="replace")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, _interrupt)
    began = time.monotonic()
    try:
        if args.rebuild:
            template.forget()
        with Stage(db="bridge_demo_check" if args.check else "bridge_demo", say=say) as stage:
            if args.check:
                check.run(stage, began)
            elif not args.build_only:
                open_to_public(stage, not args.no_traffic)
    except DemoError as error:
        say(f"\n./run demo: {error}")
        return 1
    except KeyboardInterrupt:
        # Once more would leave things half ended.
        say("\n終了しました。 Everything is stopped.")
        return 1 if args.check or args.build_only else 0
    return 0


def _interrupt(*_args):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


def open_to_public(stage, with_traffic):
    urls = sandbox_urls()
    traffic = Traffic(stage.sandboxes)
    control = Control(layout.port("control"), stage.url, traffic)
    try:
        odoo = stage.login()
        [till] = odoo.read("pos.config", [("name", "=", layout.HONTEN.name)], ["id"])
        urls |= {"url": stage.url, "control": f"http://127.0.0.1:{layout.port('control')}"}
        urls |= {"paper": stage.hardware.page, "proxy": stage.hardware.url}
        print(PAGE.format(till=till["id"], **urls), flush=True)
        traffic.switch(with_traffic)
        while True:
            time.sleep(1)
            stage.processes.check()
    finally:
        traffic.stop()
        control.stop()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # Background threads of the control page must not keep us.
    os._exit(status)
