// The page: which view is shown, by its address; the keys that are shortcuts everywhere; theme and liveness.

import { report } from "./api.js";
import { CallsView } from "./calls.js";
import { CassettesView } from "./cassettes.js";
import { byId, el, say } from "./dom.js";
import { SessionsView } from "./sessions.js";
import { Store } from "./store.js";

const THEMES = ["system", "light", "dark"];
const store = new Store();
const views = { calls: new CallsView(store), sessions: new SessionsView(store), cassettes: new CassettesView() };
let current = null;

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // an address that somebody typed
  }
}

async function routed() {
  const [name, ...parts] = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
  const view = views[name] ?? views.calls;
  if (view !== current) {
    current = view;
    byId("view").replaceChildren(view.node);
    for (const link of document.querySelectorAll("nav a")) {
      if (views[link.dataset.view] === view) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    view.draw();
  }
  try {
    await view.show(views[name] ? parts : []);
  } catch (error) {
    view.detail.replaceChildren(el("p", { class: "failure" }, error.message));
    view.detail.hidden = false;
  }
}

// -- theme, liveness -------------------------------------------------------------------------------------------

function theme(name) {
  document.documentElement.dataset.theme = name;
  byId("theme").textContent = `Theme: ${name}`;
  try {
    localStorage.setItem("bedtape-theme", name);
  } catch {
    // Without storage it is for this page alone.
  }
}

function remembered() {
  try {
    const name = localStorage.getItem("bedtape-theme");
    return THEMES.includes(name) ? name : "system";
  } catch {
    return "system";
  }
}

const nextTheme = () => theme(THEMES[(THEMES.indexOf(document.documentElement.dataset.theme) + 1) % THEMES.length]);

function toggleLive() {
  store.setLive(!store.live);
  byId("live").setAttribute("aria-pressed", String(store.live));
  say(store.live ? "live" : "paused");
}

store.addEventListener("state", () => {
  const state = byId("state");
  if (report !== null) return;
  const text = store.failed !== null ? `cannot ask the server: ${store.failed}` : store.live ? "live" : "paused";
  if (state.textContent !== text) state.textContent = text;
  state.className = `state ${store.failed !== null ? "failed" : store.live ? "going" : ""}`;
});

// -- keys ------------------------------------------------------------------------------------------------------

const KEYS = {
  1: () => (location.hash = "#/calls"),
  2: () => (location.hash = "#/sessions"),
  3: () => (location.hash = "#/cassettes"),
  "/": () => current.first(),
  v: () => current === views.calls && current.turn(),
  ...Object.fromEntries(["+", "-", "[", "]", "0"].map((key) => [key, () => current === views.calls && current.zoom(key)])),
  p: () => report === null && toggleLive(),
  t: nextTheme,
  "?": () => byId("keys").showModal(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.key === "Escape" && current.leave()) return event.preventDefault();
  const typing = event.target.closest("input, textarea, select");
  const act = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
  if (act === null || typing || !byId("single").checked) return undefined;
  event.preventDefault();
  act();
  return undefined;
});

byId("theme").addEventListener("click", nextTheme);
byId("live").addEventListener("click", toggleLive);
byId("help").addEventListener("click", KEYS["?"]);
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault(); // the address says which view is shown
  byId("view").focus();
});
window.addEventListener("hashchange", routed);
theme(remembered());
if (report !== null) {
  document.title = `bedtape report: ${report.title}`;
  byId("state").textContent = `report of ${report.title}`;
  byId("live").hidden = true;
}
store.start();
routed();
