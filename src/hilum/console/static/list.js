// A list of studies whose rows never jump, and the way back to it from a study.
"use strict";

const list = document.getElementById("list");
const back = document.querySelector("nav.back a[href='/studies']");
const PLACE = "hilum-list"; // in the storage of this tab: the address of the list, and the scroll

// What came since is counted and shown when somebody asks for it. Rows that are shown stay where
// they are, as they are now; one that no longer belongs to the list stays until then, too.
document.addEventListener("htmx:after:request", event => {
  const asked = event.detail.ctx;
  if (!list || asked.sourceElement !== list || asked.sourceEvent?.type !== "changed") return;
  const rows = [...list.querySelectorAll("tbody tr")];
  const page = new DOMParser().parseFromString(asked.text, "text/html");
  const body = page.querySelector("#list tbody");
  if (!rows.length || !body) return;
  const now = new Map([...body.rows].map(row => [row.id, row]));
  const stay = rows.map(row => now.get(row.id) ?? page.importNode(row, true));
  const newer = [...now.keys()].filter(id => !rows.some(row => row.id === id)).length;
  body.replaceChildren(...stay);
  page.getElementById("newer").hidden = !newer;
  page.getElementById("newer-count").textContent = newer;
  asked.text = page.documentElement.outerHTML;
});

// The link of a study leads back to the list as it was left, also by the button of the browser.
if (list) {
  const here = location.pathname + location.search;
  const left = JSON.parse(sessionStorage.getItem(PLACE) ?? "{}");
  if (left.address === here && left.returns) scrollTo(0, left.scroll);
  const note = returns => sessionStorage.setItem(
    PLACE, JSON.stringify({address: here, scroll: scrollY, returns}));
  note(false);
  addEventListener("pagehide", () => note(false));
}
if (back) {
  const left = JSON.parse(sessionStorage.getItem(PLACE) ?? "{}");
  if (left.address) back.href = left.address;
  back.addEventListener("click", () => {
    sessionStorage.setItem(PLACE, JSON.stringify({...left, returns: true}));
  });
}
