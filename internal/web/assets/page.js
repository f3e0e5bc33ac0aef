// Adds what a page does not need: the reader's own time beside UTC, and copy buttons.
"use strict";

const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const local = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZoneName: "short" });
const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "always" });
const units = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function distance(at) {
  const seconds = Math.round((at - Date.now()) / 1000);
  const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) ?? units.at(-1);
  return relative.format(Math.trunc(seconds / size), unit);
}

for (const time of document.querySelectorAll("time[datetime]")) {
  const at = new Date(time.dateTime);
  const note = document.createElement("span");
  note.className = "local";
  note.textContent = zone === "UTC" ? `(${distance(at)})` : `(${local.format(at)}, ${distance(at)})`;
  time.after(" ", note);
}

for (const box of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  const text = box.textContent.trim();
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.setAttribute("aria-label", `Copy ${box.dataset.copy || text.slice(0, 40)}`);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Select and copy";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
  box.tagName === "CODE" ? box.after(button) : box.append(button);
}
