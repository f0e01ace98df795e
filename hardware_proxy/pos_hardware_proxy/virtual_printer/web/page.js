// Part of pos_erp_bridge. See LICENSE file for full copyright and licensing details.
"use strict";

const TEXTS = {
  en: {
    title: "Virtual receipt printer", language: "日本語", switches: "What happens to it", paper: "Paper", log: "Log",
    power: "Power", paper_end: "Paper is out", near_end: "Paper is nearly out", cover_open: "Cover is open",
    offline: "Offline", silent: "Answers nothing", drawer_stuck: "Drawer is stuck", error: "Error", none: "none",
    cutter: "cutter", recoverable: "recovers by itself", fatal: "fatal", rom: "Characters", japanese: "Japanese",
    western: "Western", chinese: "Chinese", width: "Width (dots)", drawer: "Cash drawer", open: "open",
    closed: "closed", push: "Push it shut", pull: "Open with the key", tear: "Tear the paper off", on: "ready",
    printing: "printing", stopped: "stopped", off: "off", port: "port", current: "still in the printer",
    full: "cut", partial: "partly cut", torn: "torn off", missing: "not in its characters", refused: "not printed",
    lost: "The page has lost the printer program. It tries again.", failed: "That did not work: ",
    strip: "Paper", mm: "mm",
  },
  ja: {
    title: "仮想レシートプリンター", language: "English", switches: "プリンターの状態", paper: "用紙", log: "記録",
    power: "電源", paper_end: "用紙切れ", near_end: "用紙残りわずか", cover_open: "カバー開", offline: "オフライン",
    silent: "応答しない", drawer_stuck: "ドロワーが開かない", error: "エラー", none: "なし", cutter: "カッター",
    recoverable: "自動復帰", fatal: "復帰不可", rom: "文字セット", japanese: "日本語", western: "欧文", chinese: "中国語",
    width: "印字幅(ドット)", drawer: "キャッシュドロワー", open: "開いています", closed: "閉じています", push: "閉める",
    pull: "鍵で開ける", tear: "用紙をちぎる", on: "印刷できます", printing: "印刷中", stopped: "停止中", off: "電源オフ",
    port: "ポート", current: "印刷途中", full: "カット済み", partial: "パーシャルカット済み", torn: "ちぎりました",
    missing: "文字セットにない文字", refused: "印刷できないコード",
    lost: "プリンターのプログラムに接続できません。再接続しています。", failed: "操作できませんでした: ",
    strip: "用紙", mm: "mm",
  },
};
const SWITCHES = ["power", "paper_end", "near_end", "cover_open", "offline", "silent", "drawer_stuck"];
const CHOICES = ["error", "rom", "width"];
const MOST_PAPERS = 30;
const MOST_EVENTS = 200;

const byId = (id) => document.getElementById(id);
let language = navigator.language.startsWith("ja") ? "ja" : "en";
let state = null;
let current = null;
const papers = [];
const say = (key) => TEXTS[language][key] ?? key;

function element(tag, text = "", className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = className;
  return node;
}

async function post(path, body) {
  const failure = byId("failure");
  try {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
    const answer = await fetch(path, options);
    failure.hidden = answer.ok;
    if (!answer.ok) {
      failure.textContent = say("failed") + (await answer.text());
    }
  } catch (error) {
    failure.hidden = false;
    failure.textContent = say("failed") + error.message;
  }
  showState();
}

function set(name, value) {
  return name === "power" ? post("action", { action: value ? "power_on" : "power_off" }) : post("state", { name, value });
}

function showTexts() {
  document.documentElement.lang = language;
  document.title = say("title");
  for (const node of document.querySelectorAll("[data-text]")) {
    node.textContent = say(node.dataset.text);
  }
  byId("language").textContent = say("language");
  byId("language").lang = language === "ja" ? "en" : "ja";
  showState();
  showPapers();
}

function showState() {
  if (!state) {
    return;
  }
  for (const name of SWITCHES) {
    byId(name).checked = state[name];
  }
  for (const name of CHOICES) {
    byId(name).value = String(state[name]);
  }
  const stopped = state.paper_end || state.cover_open || state.offline || state.error;
  const condition = !state.power ? "off" : stopped ? "stopped" : state.idle ? "on" : "printing";
  byId("lamp").className = condition;
  byId("lamp").textContent = `${say(condition)} (127.0.0.1, ${say("port")} ${state.port})`;
  byId("drawer").className = state.drawer_open ? "open" : "";
  byId("drawer-says").textContent = say(state.drawer_open ? "open" : "closed");
  byId("drawer-button").textContent = say(state.drawer_open ? "push" : "pull");
}

function makeFigure(paper) {
  const figure = element("figure", "", paper.cut ? "" : "current");
  const image = element("img");
  // The height is in the address so that a strip that has grown is fetched again.
  image.src = `paper/${paper.number}.png?height=${paper.height}${paper.cut ? "&cut" : ""}`;
  image.alt = paper.text || `${say("strip")} ${paper.number}`;
  image.width = paper.width;
  image.height = Math.max(1, Math.min(paper.height, 40000));
  const parts = [`${say("strip")} ${paper.number}`, `${paper.mm} ${say("mm")}`, say(paper.cut ?? "current"), ...paper.symbols];
  const caption = element("figcaption", parts.join(" · "));
  for (const kind of ["missing", "refused"]) {
    if (paper[kind].length) {
      caption.append(element("div", `${say(kind)}: ${paper[kind].join(", ")}`, "fault"));
    }
  }
  figure.append(image, caption);
  return figure;
}

function showPapers() {
  byId("tear").disabled = !current?.height;
  const shown = current?.height ? [current, ...papers] : papers;
  byId("papers").replaceChildren(...shown.map(makeFigure));
}

function addEvent(event) {
  const time = new Date(event.at * 1000).toLocaleTimeString(language, { hour12: false });
  const detail = Object.entries(event.detail).map(([name, value]) => `${name} ${value}`);
  const from = event.connection ? [`#${event.connection}`] : [];
  const log = byId("log");
  log.prepend(element("li", [time, event.kind, ...from, event.name, ...detail].join(" "), event.kind.split(" ")[0]));
  while (log.children.length > MOST_EVENTS) {
    log.lastChild.remove();
  }
}

function listen() {
  const source = new EventSource("events");
  source.onopen = () => {
    // A new connection tells everything from the start.
    papers.length = 0;
    byId("log").replaceChildren();
    byId("failure").hidden = true;
  };
  source.onerror = () => {
    byId("failure").textContent = say("lost");
    byId("failure").hidden = false;
  };
  source.onmessage = (message) => {
    const data = JSON.parse(message.data);
    state = data.state ?? state;
    current = data.current ?? current;
    papers.unshift(...(data.papers ?? []).reverse());
    papers.splice(MOST_PAPERS);
    (data.events ?? []).forEach(addEvent);
    showState();
    if (data.papers || data.current) {
      showPapers();
    }
  };
}

for (const name of SWITCHES) {
  const label = element("label");
  const text = element("span");
  text.dataset.text = name;
  const input = element("input");
  input.type = "checkbox";
  input.id = name;
  input.addEventListener("change", () => set(name, input.checked));
  label.append(text, input);
  byId("switches").append(label);
}
for (const name of CHOICES) {
  byId(name).addEventListener("change", (event) => set(name, name === "width" ? Number(event.target.value) : event.target.value));
}
byId("drawer-button").addEventListener("click", () => set("drawer_open", !state?.drawer_open));
byId("tear").addEventListener("click", () => post("action", { action: "tear_off" }));
byId("language").addEventListener("click", () => {
  language = language === "ja" ? "en" : "ja";
  showTexts();
});
showTexts();
listen();
