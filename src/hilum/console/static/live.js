// Keeps a page up to date: the server says that something changed, and the page asks for the parts
// that it marks with hx-trigger="changed from:body". One connection a tab; none while it is hidden.
"use strict";

const refresh = {"X-Hilum-Refresh": "1"}; // nobody needs to sit before the page: it keeps no session
const PARTS = "[hx-trigger*='changed from:body']"; // of the page, which are kept up to date
const SILENT = 8000; // ms without a sign of life, which comes every five seconds
const RESTARTING = 3000; // ms that a gateway takes to come back

let changes = null;
let known = null; // what the page shows
let newest = null; // what there is to show
let heard = Date.now(); // when the server last gave a sign of life
let away = null; // since when the gateway has been away
let fresh = new Date(); // when what the page shows was read

function listen() {
  if (changes || document.hidden) return;
  heard = Date.now();
  changes = new EventSource(document.body.dataset.stream);
  changes.addEventListener("alive", () => heard = Date.now());
  changes.onmessage = event => {
    heard = Date.now();
    const [mark, gateway] = event.data.split(" ");
    away = gateway === "away" ? away ?? heard : null;
    newest = mark;
    look();
  };
  changes.onerror = () => {
    if (changes.readyState === EventSource.CLOSED) seeWhetherSignedOut();
  };
}

// Whoever is signed out is led to the page to sign in, and back here.
async function seeWhetherSignedOut() {
  const answer = await fetch(location.href, {headers: refresh, redirect: "manual"});
  if (answer.type === "opaqueredirect") location.reload();
}

// Says whether all is well, and has the page catch up as soon as it disturbs nobody.
function look() {
  const now = Date.now();
  const silent = changes !== null && now - heard > SILENT;
  const broken = silent ? "silent" : away !== null && now - away > RESTARTING ? "gateway" : "";
  tell(broken);
  if (newest === known || broken || isBusy()) return;
  if (known !== null) document.body.dispatchEvent(new Event("changed"));
  known = newest;
}

// Whoever has ticked a line, typed, chosen or marked something is not disturbed, nor who reads
// further down what grows at its top.
function isBusy() {
  if (document.querySelector("[data-newest-first]") && scrollY > 200) return true;
  const chosen = getSelection();
  if (chosen.toString() && chosen.anchorNode.parentElement?.closest(PARTS)) return true;
  return [...document.querySelectorAll(PARTS)].some(part =>
    part.querySelector("input:not([type=checkbox]):focus, textarea:focus, select:focus") ||
    part.querySelector(".acts details[open]") ||
    [...part.querySelectorAll("input, textarea, select")].some(isChanged));
}

function isChanged(field) {
  if (field.type === "hidden") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options) {
    const first = [...field.options].findIndex(option => option.defaultSelected);
    return field.selectedIndex !== Math.max(0, first);
  }
  return field.value !== field.defaultValue;
}

// What is broken stands above the page, with the time of what is still shown; nobody can act then.
function tell(broken) {
  const place = document.getElementById("connection");
  if (place.dataset.broken === broken) return;
  place.dataset.broken = broken;
  place.hidden = !broken;
  for (const one of place.querySelectorAll("[data-if]")) one.hidden = one.dataset.if !== broken;
  const time = place.querySelector("time");
  time.dateTime = fresh.toISOString();
  time.textContent = fresh.toLocaleTimeString();
  document.body.classList.toggle("stale", Boolean(broken));
  hold(broken);
}

// Nobody can act while something is broken, also by buttons that come meanwhile.
function hold(broken) {
  for (const button of document.querySelectorAll("main button")) {
    if (broken && !button.disabled) button.dataset.off = "";
    if ("off" in button.dataset) button.disabled = Boolean(broken);
    if (!broken) delete button.dataset.off;
  }
}

// Parts of a page that somebody has opened stay open.
let opened = [];
const nameOf = part => part.id || part.querySelector("summary")?.textContent.replace(/\d+/g, "");
document.addEventListener("htmx:before:swap", () => {
  opened = [...document.querySelectorAll(`${PARTS} details[open]`)].map(nameOf);
});
document.addEventListener("htmx:after:swap", () => {
  for (const part of document.querySelectorAll(`${PARTS} details`)) part.open ||= opened.includes(nameOf(part));
  fresh = new Date();
  const broken = document.getElementById("connection")?.dataset.broken;
  if (broken) hold(broken);
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden && changes) {
    changes.close();
    changes = null;
  } else listen();
});
if (document.querySelector(PARTS)) {
  listen();
  setInterval(look, 1000);
}

document.addEventListener("htmx:config:request", event => {
  const asked = event.detail.ctx;
  if (asked.sourceEvent?.type === "changed") Object.assign(asked.request.headers, refresh);
});

// A picture that cannot be shown leaves no frame.
document.addEventListener("error", event => {
  if (event.target.matches?.("img.thumbnail")) event.target.classList.add("unseen");
}, true);

// On a phone the menu is folded, so that the page begins near the top; without this script it is open.
const menu = document.getElementById("menu");
if (menu) {
  const top = menu.closest("header");
  menu.hidden = false;
  top.classList.add("folded");
  menu.addEventListener("click", () => {
    const open = !top.classList.toggle("folded");
    menu.setAttribute("aria-expanded", open);
  });
}

// The rest of the menu closes by itself as soon as somebody turns to something else.
const more = document.getElementById("more");
if (more) {
  document.addEventListener("click", event => { if (!more.contains(event.target)) more.open = false; });
  more.addEventListener("focusout", event => { if (event.relatedTarget && !more.contains(event.relatedTarget)) more.open = false; });
  more.addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    more.open = false;
    more.querySelector("summary").focus();
  });
}

// The key / goes to the box that finds studies, as on other sites.
document.addEventListener("keydown", event => {
  const find = document.getElementById("find");
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && find && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    find.focus();
  }
});
