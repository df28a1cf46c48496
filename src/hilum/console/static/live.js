// Keeps a page up to date: the server says that something changed, and the page asks for the parts
// that it marks with hx-trigger="changed from:body". One connection a tab; none while it is hidden.
"use strict";

const refresh = {"X-Hilum-Refresh": "1"}; // nobody needs to sit before the page: it keeps no session

let changes = null;
let known = null;

function listen() {
  if (changes || document.hidden) return;
  changes = new EventSource("/live");
  changes.onmessage = event => {
    answers(true);
    if (known === event.data || isBusy()) return;
    if (known !== null) document.body.dispatchEvent(new Event("changed"));
    known = event.data;
  };
  changes.onerror = () => {
    if (changes.readyState === EventSource.CLOSED) seeWhetherSignedOut();
    answers(false);
  };
}

// Whoever is signed out is led to the page to sign in, and back here.
async function seeWhetherSignedOut() {
  const answer = await fetch(location.href, {headers: refresh, redirect: "manual"});
  if (answer.type === "opaqueredirect") location.reload();
}

// Whoever has ticked a line, or types, is not disturbed: the page catches up afterwards.
function isBusy() {
  const typing = document.activeElement?.matches("main input:not([type=checkbox]), main textarea");
  return typing || document.querySelector("main input[type=checkbox]:checked") !== null;
}

function answers(well) {
  document.getElementById("connection").hidden = well;
  document.body.classList.toggle("stale", !well);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden && changes) {
    changes.close();
    changes = null;
  } else listen();
});
if (document.querySelector("[hx-trigger*='changed from:body']")) listen();

document.addEventListener("htmx:config:request", event => {
  const asked = event.detail.ctx;
  if (asked.sourceEvent?.type === "changed") Object.assign(asked.request.headers, refresh);
});

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

// The key / goes to the box that finds studies, as on other sites.
document.addEventListener("keydown", event => {
  const find = document.getElementById("find");
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && find && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    find.focus();
  }
});
