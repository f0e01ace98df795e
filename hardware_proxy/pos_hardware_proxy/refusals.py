# Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"""Why something is not done, in the reader's language: each sentence stands here once, in English and Japanese."""

from .fonts import NO_FONT
from .words import STATES, say

JAPANESE = {
    # Who may ask
    "This proxy is not called {name}.": "このプロキシの名前は {name} ではありません。",
    "A request without Origin is not served.": "Origin のない要求は受け付けません。",
    "Pages of {origin} may not use this proxy. Add it to origins in the configuration file.": (
        "{origin} のページはこのプロキシを使えません。設定ファイルの origins に追加してください。"
    ),
    "Too many requests.": "要求が多すぎます。少し待ってからやり直してください。",
    "This proxy is asked by https:// only.": "このプロキシには https:// で接続してください。",
    "This request is not signed. Open the till from Odoo again.": (
        "要求に署名がありません。Odooからレジを開き直してください。"
    ),
    "This proxy is not paired. Enter its code in Odoo's settings.": (
        "このプロキシはOdooと接続されていません。Odooの設定でコードを入力してください。"
    ),
    "This request is not signed by the Odoo this proxy is paired with.": (
        "このプロキシが接続しているOdooの署名ではありません。Odooの設定で接続し直してください。"
    ),
    "This request is for another proxy. Open the till from Odoo again.": (
        "別のプロキシへの要求です。Odooからレジを開き直してください。"
    ),
    "The till's right to print has ended. Open the till from Odoo again.": (
        "レジの印刷の許可が期限切れです。Odooからレジを開き直してください。"
    ),
    "The clocks of the till and of the proxy differ by more than two minutes.": (
        "レジとプロキシの時計が2分以上ずれています。時計を合わせてください。"
    ),
    "This request was sent before.": "この要求はすでに受け付けています。",
    "This till may not do that (it would need the right {scope}).": (
        "このレジにはこの操作の許可がありません(必要な許可: {scope})。"
    ),
    "Tills that are not paired may not print here (without_token = true allows it).": (
        "接続していないレジは印刷できません(without_token = true で許可できます)。"
    ),
    "Tills that are not paired may not open the drawer here (without_token_drawer = true allows it).": (
        "接続していないレジはドロワーを開けられません(without_token_drawer = true で許可できます)。"
    ),
    "The code is wrong or too old. Look at the page of the proxy for a new one.": (
        "コードが違うか、期限切れです。プロキシの画面で新しいコードを確かめてください。"
    ),
    "The secret must have 32 characters or more.": "共有する鍵は32文字以上にしてください。",
    "A drawer is opened from the page on the proxy's own machine only.": (
        "ドロワーは、プロキシの機械の画面からだけ開けられます。"
    ),
    "This is only for the page on the proxy's own machine (page_from_network = true allows it to all).": (
        "この操作はプロキシの機械の画面だけでできます(page_from_network = true ですべての機械に許可できます)。"
    ),
    # What is set up
    "There is no printer {name} here. There are: {names}.": (
        "{name} というプリンターはありません。使えるプリンター: {names}"
    ),
    "No printer is set up. Name one in the configuration file.": (
        "プリンターが設定されていません。設定ファイルに書いてください。"
    ),
    "No drawer hangs on the printer {name}.": "プリンター {name} にはドロワーがつながっていません。",
    "No scale is set up. Name one in the configuration file ([[scale]]).": (
        "はかりが設定されていません。設定ファイルの [[scale]] に書いてください。"
    ),
    "No display is set up. Name one in the configuration file ([[display]]).": (
        "客面表示器が設定されていません。設定ファイルの [[display]] に書いてください。"
    ),
    "This proxy has no certificate: tls is not switched on.": (
        "このプロキシには証明書がありません。設定ファイルの tls が有効になっていません。"
    ),
    NO_FONT: (
        "日本語のフォントが見つからないため、レジのテキストを描画できません(プリンターが内蔵する文字だけ印刷できます)。"
        "Noto Sans CJK JP をインストールするか、設定ファイルに書いてください: "
        '[proxy] font = "/…/NotoSansCJK-Regular.ttc"'
    ),
    # Jobs
    "There is no such job.": "その印刷は見つかりません。",
    "There is no job {job}.": "印刷 {job} は見つかりません。",
    "The job {job} is {state}; there is nothing to decide.": "印刷 {job} は「{state}」です。確認は要りません。",
    "The job {job} is {state}; only an unknown one is repeated.": (
        "印刷 {job} は「{state}」です。再発行できるのは「要確認」の印刷だけです。"
    ),
    "The drawer was pulsed for this request before; whether it opened is not known.": (
        "この要求のドロワー信号はすでに送りました。開いたかどうかは分かりません。"
    ),
    "{waiting} jobs wait for the printer {name} already.": "プリンター {name} の印刷待ちがすでに{waiting}件あります。",
    "{job} was printed once more already.": "{job} はすでに再発行されています。",
    "The id {job} was used for another print before.": "番号 {job} は別の印刷で使われています。",
    "The id of a job has 8 to 80 letters, digits, and . : - _": "印刷の番号は、英数字と . : - _ の8~80文字です。",
    "Say whether the paper came out: came_out=1 or came_out=0.": (
        "用紙が出たかどうかを答えてください: came_out=1 または came_out=0"
    ),
    'Say whether the paper came out: {{"came_out": true}}, or name the id of a reprint.': (
        '用紙が出たかどうか({{"came_out": true}})、または再発行の番号を送ってください。'
    ),
    # What is asked
    "The request must be JSON (Content-Type: application/json).": (
        "要求は JSON で送ってください(Content-Type: application/json)。"
    ),
    "The request is no JSON.": "要求が JSON ではありません。",
    "The request must be a JSON object.": "要求は JSON のオブジェクトで送ってください。",
    "A text must be JSON (Content-Type: application/json).": (
        "テキストは JSON で送ってください(Content-Type: application/json)。"
    ),
    "kind = {kind} is not known. There are: {kinds}.": "kind = {kind} は使えません。使える値: {kinds}",
    "format = {form} is not known. There are: picture, text.": "format = {form} は使えません。使える値: picture, text",
    "{key} must be a number of dots.": "{key} はドット数で指定してください。",
    "The action {action} is not known. There are print_receipt and cashbox.": (
        "action {action} は使えません。使える値: print_receipt, cashbox"
    ),
    'A display shows {{"lines": ["…", "…"]}}: at most {lines} texts of {longest} characters.': (
        '客面表示器には {{"lines": ["…", "…"]}} を送ってください。{longest}文字以内のテキストを{lines}行までです。'
    ),
    # Pictures and texts
    "The picture is {width} dots wide; it must be a multiple of 8.": (
        "画像の幅が{width}ドットです。8の倍数にしてください。"
    ),
    "The picture is damaged: it cannot be unpacked.": "画像が壊れています(展開できません)。",
    "The picture is damaged: it is no base64.": "画像が壊れています(base64 ではありません)。",
    "The picture is damaged, or no JPEG or PNG.": "画像が壊れているか、JPEG でも PNG でもありません。",
    "The picture is not {width} × {rows} dots, as it says.": "画像の大きさが、指定の{width}×{rows}ドットと違います。",
    "A picture of {width} × {rows} dots cannot be printed; at most {widest} × {most}.": (
        "{width}×{rows}ドットの画像は印刷できません。最大{widest}×{most}ドットです。"
    ),
    "The text is too long: at most {size} KB.": "テキストが長すぎます。最大{size}KBです。",
    "The text is too long: at most {lines} lines and {characters} characters.": (
        "テキストが長すぎます。最大{lines}行、{characters}文字です。"
    ),
    "The text is too long: it would be more than {rows} dots of paper.": (
        "テキストが長すぎます。用紙の長さが{rows}ドットを超えます。"
    ),
    "The text has more than {most} characters that no font here has.": (
        "フォントにない文字が{most}種類を超えています。"
    ),
    "The text is no JSON.": "テキストが JSON ではありません。",
    'A text is written as {{"lines": [{{"text": "…"}}, …]}}, with one line at least.': (
        'テキストは {{"lines": [{{"text": "…"}}, …]}} の形で、1行以上書いてください。'
    ),
    'Line {line} must be an object: {{"text": "…"}}.': (
        '{line}行目: オブジェクト {{"text": "…"}} の形で書いてください。'
    ),
    'Line {line}: {kind} stands alone: {{"{kind}": true}}.': (
        '{line}行目: {kind} は単独で書いてください: {{"{kind}": true}}'
    ),
    "Line {line} has neither text nor rule nor cut.": "{line}行目: text も rule も cut もありません。",
    "Line {line}: {key} is not known. There are: {keys}.": "{line}行目: {key} は使えません。使えるもの: {keys}",
    "Line {line}: {key} must be a text.": "{line}行目: {key} はテキストで書いてください。",
    "Line {line}: {key} must be true or false.": "{line}行目: {key} は true か false で書いてください。",
    "Line {line}: {key} must be a number.": "{line}行目: {key} は整数で書いてください。",
    "Line {line}: {key} must be one of {choices}.": "{line}行目: {key} に使える値: {choices}",
    # HTTP
    "There is nothing at this address.": "このアドレスには何もありません。",
    "This address is not asked in that way.": "このアドレスでは、その方法(メソッド)は使えません。",
    "The request is too large.": "要求が大きすぎます。",
    "The request came too slowly.": "要求が時間内に届きませんでした。",
    "The request cannot be served.": "要求を処理できません。",
    "A fault of the proxy. Its log says more.": "プロキシの内部エラーです。詳しくはログを見てください。",
}


class Refusal(Exception):
    """Something is not done; the sentence is for people.

    :param sentence: in English, a key of :data:`JAPANESE`; {names} in it stand for values
    :param values: of these names; ``state``: of a job
    """

    status = 422  # of HTTP

    def __init__(self, sentence, /, **values):
        self.sentence, self.values = sentence, values
        super().__init__(self.text("en"))

    def text(self, language):
        """The sentence in ``ja`` or ``en``."""
        values = dict(self.values)
        if "state" in values:
            values["state"] = say(STATES, values["state"], language)
        sentence = JAPANESE.get(self.sentence, self.sentence) if language == "ja" else self.sentence
        return sentence.format(**values)


class Refused(Refusal):
    """Something was asked that cannot be done."""


class Missing(Refused):
    """What was asked for is not here."""

    status = 404
