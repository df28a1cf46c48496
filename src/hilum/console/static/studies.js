const main = document.getElementById("main");
const asked = new URLSearchParams(location.search);
const uid = decodeURIComponent(location.pathname.split("/studies/")[1] || "");
const escapeHtml = text => String(text ?? "").replace(/[&<>"'`]/g, c => `&#${c.charCodeAt(0)};`);
const clock = at => new Date(at * 1000).toLocaleString(undefined, {hour12: false});
const number = (value, unit) => value.toFixed(unit === "%" ? 0 : 2);
const quantity = f => `${number(f.value, f.unit)}${f.uncertainty ? " ± " + number(f.uncertainty, f.unit) : ""} ${f.unit === "ml" ? "mL" : f.unit}`;
const measured = f => `${f.of ?? f.what} ${quantity(f)}`;
const changed = f => {
  const value = Math.round(f.value * 100) / 100 + 0;  // no zero with a sign
  return `${f.of} ${value > 0 ? "+" : ""}${quantity({...f, value})} since ${f.since}`;
};
const volumes = (item, all) => [
  ...item.findings.filter(f => f.kind === "measurement" && (all || f.followed || !item.findings.some(g => g.followed))).map(measured),
  ...item.findings.filter(f => f.kind === "change").map(changed)].join(", ");
const outcomes = item => item.findings.filter(f => f.kind === "classification")
  .map(f => `${f.outcome} (${Object.entries(f.scores).map(([label, score]) => `${label} ${score.toFixed(2)}`).join(", ")})`).join("; ");
const remarks = item => item.findings.filter(f => f.text).map(f => f.text).join(" ");
const state = name => `<span class="state ${escapeHtml(name.split(" ")[0])}">${escapeHtml(name)}</span>`;

const counted = (n, noun) => `${n} ${n === 1 ? noun : noun.replace(/y$/, "ie") + "s"}`;
const called = item => `${item.kind === "withdrawal" ? "withdrawal note of " : ""}${item.module}`;

const address = (page, unfinished) => `/studies?page=${page}${unfinished ? "&unfinished=1" : ""}`;
function pager(shown) {
  const alone = asked.get("unfinished") === "1";
  const links = [
    shown.page > 1 ? `<a rel="prev" href="${address(shown.page - 1, alone)}">newer</a>` : "",
    shown.page < shown.pages ? `<a rel="next" href="${address(shown.page + 1, alone)}">older</a>` : "",
    alone ? `<a href="/studies">all studies</a>` : shown.unfinished ? `<a href="${address(1, true)}">only the unfinished ones</a>` : ""];
  return `<p class="time">${counted(shown.total, "study")}, ${shown.unfinished} unfinished; page ${shown.page} of ${shown.pages}
    ${links.filter(Boolean).join(" · ")}</p>`;
}
function list(shown) {
  if (!shown.total) return `<section><p class="empty">No study has arrived yet.</p></section>`;
  const rows = shown.studies.flatMap(s => (s.workitems.length ? s.workitems : [null]).map(w => `<tr>
    <td class="time">${clock(s.last_at)}</td>
    <td><a href="/studies/${encodeURIComponent(s.study_uid)}"><code>${escapeHtml(s.study_uid)}</code></a><br>${counted(s.images, "image")}</td>
    <td>${w ? escapeHtml(called(w)) : ""}</td>
    <td>${w ? state(w.state) + (w.refusal ? `<br>${state("refused")}` : "") : state(s.settled ? "no rule applies" : "receiving")}${s.removed ? `<br><span class="time">files removed</span>` : ""}</td>
    <td>${w ? escapeHtml(w.refusal ? `refused: ${w.refusal}` : [outcomes(w), volumes(w)].filter(Boolean).join(", ") || remarks(w) || w.reason) : ""}</td></tr>`));
  return `<section><h2>Studies</h2><table><tr><th>Last image</th><th>Study</th><th>Module</th><th>State</th><th>Result or reason</th></tr>${rows.join("")}</table>${pager(shown)}</section>`;
}
const ticked = text => escapeHtml(text).replace(/&#96;([^&]*)&#96;/g, "<code>$1</code>");
function warnings(alarms) {
  if (!alarms.length) return "";
  const rows = alarms.map(a => `<li class="${escapeHtml(a.severity)}"><b>${escapeHtml(a.name)}</b> ${state(a.severity)}
    ${a.since ? `<span class="time">since ${clock(a.since)}</span>` : ""}<br>${ticked(a.text)}<br><span class="cure">${ticked(a.cure)}</span></li>`);
  return `<section role="alert" class="alarms"><h2>${counted(alarms.length, "alarm")}</h2><ul>${rows.join("")}</ul></section>`;
}
function archives(sources) {
  if (!sources.length) return "";
  const rows = sources.map(s => `<tr><td>${escapeHtml(s.name)} <code>${escapeHtml(s.kind)}</code></td>
    <td>${state(s.state)}${s.since ? `<br><span class="time">since ${clock(s.since)}</span>` : ""}</td>
    <td>${s.seen_at ? clock(s.seen_at) : ""}</td><td>${s.fetched ?? 0}</td><td>${s.behind ?? 0}</td>
    <td>${s.problem ? `<span class="time">${clock(s.problem_at)}</span> ${escapeHtml(s.problem)}` : ""}</td></tr>`);
  return `<section><h2>Archives</h2><table><tr><th>Source</th><th>State</th><th>Last answer</th><th>Images fetched</th><th>Changes behind</th><th>Last problem</th></tr>${rows.join("")}</table></section>`;
}
const arrived = ["verified", "committed", "accepted"];
const open = counts => Object.entries(counts).filter(([state]) => ![...arrived, "cancelled"].includes(state));
function goals(destinations) {
  if (!destinations.length) return "";
  const rows = destinations.map(d => `<tr><td>${escapeHtml(d.name)} <code>${escapeHtml(d.kind)}</code></td>
    <td>${state(d.state)}${d.since ? `<br><span class="time">since ${clock(d.since)}</span>` : ""}</td>
    <td>${arrived.filter(name => d.deliveries[name]).map(name => `${d.deliveries[name]} ${name}`).join(", ")}</td>
    <td>${open(d.deliveries).map(([name, count]) => `${count} ${escapeHtml(name)}`).join(", ") || "nothing"}</td>
    <td>${escapeHtml(d.problem)}</td></tr>`);
  return `<section><h2>Destinations</h2><table><tr><th>Destination</th><th>State</th><th>Arrived</th><th>Open</th><th>Problem</th></tr>${rows.join("")}</table></section>`;
}
function apart(quarantine) {
  if (!quarantine.total) return "";
  const rows = quarantine.objects.map(o => `<tr><td class="time">${clock(o.at)}</td><td>${escapeHtml(o.sender || "unknown")}</td>
    <td>${escapeHtml(o.reason)}</td><td><code>${escapeHtml(o.study_uid)}</code></td><td><code>${escapeHtml(o.file)}</code></td></tr>`);
  return `<section><h2>Quarantine</h2><p>${counted(quarantine.total, "object")}, in ${escapeHtml(quarantine.folder)}</p>
    <table><tr><th>When</th><th>From</th><th>Why</th><th>Study</th><th>File</th></tr>${rows.join("")}</table></section>`;
}
function turnedAway(refusals) {
  if (!refusals.length) return "";
  const rows = refusals.map(r => `<tr><td class="time">${clock(r.last_at)}</td><td>${r.count}</td>
    <td>${escapeHtml(r.caller || "no AE title")} <code>${escapeHtml(r.address)}</code></td><td>${escapeHtml(r.kind)}</td><td>${escapeHtml(r.reason)}</td></tr>`);
  return `<section><h2>Rejected by the receiver</h2>
    <table><tr><th>Last time</th><th>Times</th><th>Sender</th><th>What</th><th>Why</th></tr>${rows.join("")}</table></section>`;
}
function one(s) {
  const items = s.workitems.map(w => `<section><h2>${escapeHtml(called(w))} ${escapeHtml(w.version)}: ${state(w.state)}${w.refusal ? ` ${state("refused")}` : ""}</h2>
    <p>${escapeHtml(w.reason)}</p><p><b>${escapeHtml(volumes(w, true))}</b> ${escapeHtml(remarks(w))}</p>
    <table><tr><th>Series</th><th>Verdict</th><th>Reasons</th></tr>
    ${[...w.chosen_series, ...w.rejected_series].map(v => `<tr><td>${escapeHtml(v.description || "(no description)")}<br><span class="time">${counted(v.images, "image")}</span></td>
      <td>${v.accepted ? "chosen" : "rejected"}</td><td>${v.reasons.map(escapeHtml).join("<br>")}</td></tr>`).join("")}</table>
    <p>${w.results.map(r => `${escapeHtml(r.kind.toUpperCase())}${r.verified ? " ✓ read back" : ""}`).join(" · ")}</p>
    <p>${w.deliveries.map(d => `${escapeHtml(d.destination)}: ${escapeHtml(d.state)} (attempt ${d.attempts}) ${escapeHtml(d.reason)}${["delayed", "asked"].includes(d.state) ? `, next at ${clock(d.next_attempt)}` : ""}`).join("<br>")}</p>
    <code>weights SHA-256 ${escapeHtml(w.weights_sha256)}</code></section>`).join("");
  const lines = s.trace.map(e => `<tr><td class="time">${clock(e.at)} +${(e.at - s.trace[0].at).toFixed(2)} s</td>
    <td class="kind">${escapeHtml(e.kind)}</td><td>${escapeHtml(e.text)}</td></tr>`).join("");
  return `<section><h2>Study</h2><code>${escapeHtml(s.study_uid)}</code><p>${counted(s.images, "image")}${s.removed ? `, files removed ${clock(s.removed.at)}: ${escapeHtml(s.removed.reason)}` : ""}</p></section>${items}
    <section><h2>Trace</h2><table>${lines}</table></section>`;
}
const ask = address => fetch(address, {headers: {"X-Hilum-Refresh": "1"}});
async function refresh() {
  try {
    const answer = await ask(uid ? `/api/v1/studies/${encodeURIComponent(uid)}` : `/api/v1/studies?${asked}`);
    const body = await answer.json();
    const sources = uid ? [] : await (await ask("/api/v1/sources")).json();
    const destinations = uid ? [] : await (await ask("/api/v1/destinations")).json();
    const alarms = await (await ask("/api/v1/alarms")).json();
    const quarantine = uid ? {total: 0} : await (await ask("/api/v1/quarantine")).json();
    const refusals = uid ? [] : await (await ask("/api/v1/refusals")).json();
    main.innerHTML = warnings(alarms) + (!answer.ok ? `<section><p>${escapeHtml(body.detail)}</p></section>` : uid ? one(body) : archives(sources) + goals(destinations) + list(body) + turnedAway(refusals) + apart(quarantine));
  } catch { main.innerHTML = `<section><p>Hilum does not answer. Check that it runs.</p></section>`; }
  setTimeout(refresh, 1000);
}
refresh();
