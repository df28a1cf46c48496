// Keeps a page up to date: the server says that something changed, and the page asks for the parts
// that it marks with hx-trigger="changed from:body". One connection a tab; none while it is hidden.
"use strict";

let changes = null;
let known = null;

function listen() {
  if (changes || document.hidden) return;
  changes = new EventSource("/live");
  changes.onmessage = event => {
    answers(true);
    if (known !== null && known !== event.data) document.body.dispatchEvent(new Event("changed"));
    known = event.data;
  };
  changes.onerror = () => answers(false);
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

// The key / goes to the box that finds studies, as on other sites.
document.addEventListener("keydown", event => {
  const find = document.getElementById("find");
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
  if (event.key === "/" && find && !typing && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    find.focus();
  }
});
