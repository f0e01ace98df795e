# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""What people read: states and reasons in Japanese and English, with what to do."""

import re

STATES = {
    "waiting": ("待機中", "waiting"),
    "printing": ("印刷中", "printing"),
    "printed": ("印刷済み", "printed"),
    "failed": ("印刷せず", "not printed"),
    "unknown": ("要確認", "please look"),
    "reprinted": ("再発行済み", "printed once more"),
}
REASONS = {
    "": ("", ""),
    "paper_end": ("用紙がありません。用紙を入れると自動で続きます。", "Out of paper. It goes on when paper is in."),
    "cover_open": ("カバーが開いています。閉じてください。", "The cover is open. Close it."),
    "cutter": ("カッターが詰まっています。紙を取り除いてください。", "The cutter is stuck. Remove the paper."),
    "unrecoverable": (
        "プリンターの故障です。電源を入れ直してください。",
        "The printer has failed. Switch it off and on.",
    ),
    "recoverable": ("ヘッドが高温です。しばらくすると続きます。", "The print head is hot. It goes on in a while."),
    "offline": ("プリンターがオフラインです。", "The printer is offline."),
    "refused": (
        "プリンターが接続を拒否しました。電源を確かめてください。",
        "The printer refuses the line. Is it on?",
    ),
    "no_answer": (
        "プリンターが応答しません。電源とケーブルを確かめてください。",
        "No answer. Check power and cable.",
    ),
    "unreachable": (
        "プリンターに届きません。ネットワークを確かめてください。",
        "It cannot be reached. Check the network.",
    ),
    "unplugged": ("ケーブルが抜けています。", "It is unplugged."),
    "not_allowed": ("機器を使う権限がありません。", "This program may not use the device."),
    "busy": ("他のプログラムが使用中です。", "Another program is using it."),
    "silent": ("プリンターが状態を答えません。", "The printer does not tell its state."),
    "moving": ("計量中です。", "It is weighing."),
    "over": ("はかりの計量範囲を超えています。", "Too heavy for the scale."),
    "under": ("はかりがゼロ未満です。何も載せずにゼロ点を合わせてください。", "Below zero. Clear and zero it."),
    "not_zero": ("はかりのゼロ点がずれています。ゼロ点を合わせてください。", "Not at zero. Clear and zero it."),
    "lost": (
        "印刷中に通信が切れました。用紙を確かめてください。",
        "The line broke while printing. Look at the paper.",
    ),
    "no_confirmation": (
        "印刷完了の返事がありません。用紙を確かめてください。",
        "It did not confirm. Look at the paper.",
    ),
    "stopped": (
        "印刷中にプロキシが止まりました。用紙を確かめてください。",
        "The proxy stopped while printing. Look at the paper.",
    ),
    "fault": ("内部エラーです。用紙を確かめてください。", "A fault of this program. Look at the paper."),
    "too_late": (
        "プリンターが間に合わなかったため、ドロワーは開けませんでした。",
        "The printer was not free in time; the drawer stays shut.",
    ),
    "unconfirmed": ("送信済み(このプリンターは完了を答えません)", "sent (this printer cannot confirm)"),
    "expired": ("時間切れです。", "It waited too long."),
    "cancelled": ("取り消されました。", "It was taken back."),
    "seen": ("用紙を確認しました。", "Somebody saw the paper."),
    "not_seen": ("用紙は出ていませんでした。", "No paper had come out."),
    "no_printer": ("このプリンターは設定から外されました。", "That printer is not set up any more."),
    "nobody_looked": ("誰も用紙を確認しませんでした。", "Nobody looked at the paper."),
    "no_glyph": (
        "印刷済み。字形のない文字は番号(U+…)で印刷しました。",
        "Printed; characters that no font has are printed as their number (U+…).",
    ),
    "reprinted": ("再発行しました。", "It was printed once more."),
}
PAGE = {
    "printers": ("プリンター", "Printers"),
    "jobs": ("最近の印刷", "Last prints"),
    "ready": ("使えます", "ready"),
    "devices": ("その他の機器", "Other devices"),
    "scanners": ("スキャナー", "scanner"),
    "scales": ("はかり", "scale"),
    "displays": ("客面表示器", "line display"),
    "relay": ("Odoo経由の印刷", "prints through Odoo"),
    "learn": ("ドロワーを学習", "Learn the drawer"),
    "learn_how": ("ドロワーを閉めてから押してください。", "Close the drawer, then press."),
    "learned": (
        "ドロワーのセンサーを覚えました。開いたかどうかが分かります。",
        "The drawer's sensor is learned: from now on it is seen whether it opens.",
    ),
    "still": (
        "センサーが動きませんでした。ドロワーを閉めて、もう一度押してください。センサーのないドロワーもあります。",
        "The sensor did not move. Close the drawer and try again; some drawers have none.",
    ),
    "test": ("テスト印刷", "Test print"),
    "paper": ("用紙", "paper"),
    "waiting": ("待ち", "waiting"),
    "pairing": ("Odooと接続するコード", "Code to connect with Odoo"),
    "paired": ("Odooと接続済み", "Connected with Odoo"),
    "code_elsewhere": (
        "コードは、この機械の画面で開くと表示されます。",
        "The code is shown when this page is opened on the machine itself.",
    ),
    "decide_elsewhere": (
        "この機械の画面か、レジで答えてください。",
        "Answer on the machine itself, or at the till.",
    ),
    "came_out": ("出ていた", "It came out"),
    "reprint": ("出ていない・再発行", "It did not: print again"),
    "open_door": (
        "署名なしのレジを許可しています(without_token)。同じネットワークの誰でも印刷できます。",
        "Tills without a signature are allowed (without_token): anybody on this network can print.",
    ),
    "time": ("時刻", "time"),
    "printer": ("プリンター", "printer"),
    "state": ("状態", "state"),
    "ok": ("あり", "ok"),
    "near_end": ("残りわずか", "near end"),
    "end": ("なし", "out"),
    "no_printers": ("プリンターが設定されていません。", "No printer is set up."),
}
RELAY = {
    "starting": ("準備中", "starting"),
    "listening": ("接続済み", "connected"),
    "asking": ("接続済み(2秒ごとに確認)", "connected (asks every two seconds)"),
    "no_answer": ("Odooに接続できません。", "Odoo does not answer."),
}
CERTIFICATE = {
    "title": ("この証明書を各レジにインストール", "Install this certificate on each till"),
    "compare": (
        "インストールの前に、下の指紋が、プロキシの機械の画面(または起動時の表示)と同じことを確かめてください。",
        "Before you install it, compare the fingerprint below with the one on the proxy's own screen.",
    ),
    "fingerprint": ("指紋(SHA-256)", "Fingerprint (SHA-256)"),
    "authority_end": ("この証明書の有効期限", "This certificate ends"),
    "server_end": ("サーバー証明書の有効期限(自動更新)", "Server's certificate ends (renewed by itself)"),
    "uncovered": ("この証明書では開けない名前", "Names it is not good for"),
}
PLATFORMS = {
    "Windows (Chrome, Edge)": (
        ".crt を開き、「証明書のインストール」→「ローカル コンピューター」→「証明書をすべて次のストアに配置する」→"
        "「信頼されたルート証明機関」を選びます。ブラウザーを起動し直してください。",
        "Open the .crt, choose Install Certificate, Local Machine, Place all certificates in the following store, "
        "Trusted Root Certification Authorities. Start the browser again.",
    ),
    "macOS (Safari, Chrome)": (
        ".crt を開いて「システム」キーチェーンに追加し、その証明書の「信頼」で「常に信頼」を選びます。",
        "Open the .crt, add it to the System keychain, then open it there and set Trust to Always Trust.",
    ),
    "iPad / iPhone": (
        ".mobileconfig を Safari で開いて許可し、「設定」→「一般」→「VPNとデバイス管理」でインストールします。続けて"
        "「設定」→「一般」→「情報」→「証明書信頼設定」でオンにします。",
        "Open the .mobileconfig in Safari and allow it. Install it in Settings, General, VPN & Device Management; then "
        "switch it on in Settings, General, About, Certificate Trust Settings.",
    ),
    "Android": (
        ".crt を保存し、「設定」→「セキュリティ」→「暗号化と認証情報」→「証明書のインストール」→「CA 証明書」で選びます"
        "(機種により名称が異なります)。",
        "Save the .crt and choose it in Settings, Security, Encryption & credentials, Install a certificate, "
        "CA certificate (the words differ between makers).",
    ),
    "Linux (Chromium, Chrome)": (
        "設定の「プライバシーとセキュリティ」→「セキュリティ」→「証明書の管理」で .pem を認証局として読み込み、"
        "ウェブサイトの識別を許可します。",
        "In Settings, Privacy and security, Security, Manage certificates, import the .pem as an authority and trust "
        "it for identifying websites.",
    ),
    "Firefox": (
        "「設定」→「プライバシーとセキュリティ」→「証明書を表示」→「認証局証明書」→「インポート」で .pem を選び、"
        "「ウェブサイトの識別」にチェックを入れます。",
        "In Settings, Privacy & Security, View Certificates, Authorities, Import, choose the .pem and tick "
        "Trust this CA to identify websites.",
    ),
}
LANGUAGES = ("ja", "en")
WISH = re.compile(r"\s*([a-z]+)(?:-[\w-]*)?\s*(?:;\s*q=(\d(?:\.\d*)?))?\s*$")


def say(words, key, language):
    """The text of ``key``; the key itself when there is none. ``expired: lost`` says both."""
    texts = words.get(key)
    if texts is None and ": " in key:
        return " ".join(say(words, part, language) for part in key.split(": "))
    return texts[LANGUAGES.index(language)] if texts else key


def preferred(header):
    """The language that a browser wants most of those there are (``Accept-Language: fr, ja;q=0.8``); else English."""
    wishes = [wish.groups() for wish in map(WISH.match, header.lower().split(",")) if wish]
    known = [(float(weight or 1), code) for code, weight in wishes if code in LANGUAGES]
    return max(known, key=lambda wish: wish[0], default=(0, "en"))[1]
