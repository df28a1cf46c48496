// Hands over the files of a folder one by one, so that it shows how far it is. Names stay here.
"use strict";

const form = document.getElementById("upload");
const drop = document.getElementById("drop");
const bar = document.getElementById("progress-bar");
const words = document.getElementById("progress-words");
const AT_ONCE = 3; // requests
const token = form.elements.form_token.value;

let under_way = null; // the number of the upload
let sent = 0; // bytes of whole files
let partial = new Map(); // bytes of files under way, by their request
let has_failed = false;

for (const part of document.querySelectorAll(".scripted")) part.hidden = false;

function ask(method, path, body) {
  const headers = {"X-Hilum-Token": token, "Content-Type": "application/json"};
  return fetch(`/api/v1/uploads${path}`, {method, headers, body, keepalive: method === "DELETE"});
}

function say(text) {
  words.textContent = text;
}

function size(bytes) {
  return `${(bytes / 1048576).toFixed(1)} MiB`;
}

function show(done, files, bytes) {
  const so_far = sent + [...partial.values()].reduce((sum, one) => sum + one, 0);
  bar.value = bytes ? so_far / bytes : 1;
  say(`${done} of ${files} files sent, ${size(so_far)} of ${size(bytes)}.`);
}

// Sends one file; fetch() would not say how much of it has gone.
function send(file, told) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", `/api/v1/uploads/${under_way}/files`);
    request.setRequestHeader("X-Hilum-Token", token);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = event => { partial.set(request, event.loaded); told(); };
    request.onload = () => {
      partial.delete(request);
      if (request.status === 200) { sent += file.size; resolve(); }
      else reject(new Error(reason(request)));
    };
    request.onerror = () => reject(new Error("the connection was cut off"));
    request.send(file);
  });
}

function reason(request) {
  try {
    return JSON.parse(request.responseText).detail;
  } catch {
    return `the console answers ${request.status}`;
  }
}

async function upload(files) {
  if (!files.length) return say("There is no file in it.");
  const bytes = files.reduce((sum, file) => sum + file.size, 0);
  const destinations = [...form.querySelectorAll("[name=destination]:checked")].map(one => one.value);
  const images = form.querySelector("[name=images]")?.checked ?? false;
  const begun = await ask("POST", "", JSON.stringify({destinations, images}));
  const answer = await begun.json();
  if (!begun.ok) throw new Error(answer.detail);
  under_way = answer.number;
  let next = 0;
  let done = 0;
  const told = () => show(done, files.length, bytes);
  const worker = async () => {
    while (next < files.length && !has_failed) {
      await send(files[next++], told);
      done++;
      told();
    }
  };
  await Promise.all(Array.from({length: AT_ONCE}, worker));
  await ask("POST", `/${under_way}/finish`, "{}");
  leave();
}

function leave() {
  const number = under_way;
  under_way = null; // so that leaving the page ends nothing
  location.href = `/upload/${number}`;
}

async function begin(files) {
  form.hidden = true;
  document.getElementById("progress").hidden = false;
  try {
    await upload(await files);
  } catch (error) {
    has_failed = true;
    if (under_way) await ask("DELETE", `/${under_way}`).catch(() => {});
    if (under_way) leave();
    else { form.hidden = has_failed = false; say(`Not uploaded: ${error.message}.`); }
  }
}

// The files below what was dropped; a folder gives its entries a hundred at a time.
async function filesOf(entries) {
  const found = [];
  const waiting = entries.filter(entry => entry);
  while (waiting.length) {
    const entry = waiting.pop();
    if (entry.isFile) found.push(await new Promise((yes, no) => entry.file(yes, no)));
    else {
      const reader = entry.createReader();
      let some;
      do {
        some = await new Promise((yes, no) => reader.readEntries(yes, no));
        waiting.push(...some);
      } while (some.length);
    }
  }
  return found;
}

form.addEventListener("submit", event => {
  event.preventDefault();
  begin(["files", "folder"].flatMap(id => [...document.getElementById(id).files]));
});
drop.addEventListener("dragover", event => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", event => {
  event.preventDefault();
  drop.classList.remove("over");
  begin(filesOf([...event.dataTransfer.items].map(item => item.webkitGetAsEntry())));
});
document.getElementById("end-upload").addEventListener("click", async () => {
  has_failed = true;
  if (under_way) {
    await ask("DELETE", `/${under_way}`);
    leave();
  }
});
window.addEventListener("pagehide", () => { if (under_way) ask("DELETE", `/${under_way}`); });
