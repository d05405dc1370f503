// The board by keyboard, and a filter. Keys are off while somebody types or a dialog is open.

const table = document.querySelector<HTMLTableElement>("table.board");
const box = document.querySelector<HTMLInputElement>("#filter");

function rows(): HTMLTableRowElement[] {
  return [...(table?.tBodies[0]?.rows ?? [])].filter((row) => !row.hidden);
}

function filter(): void {
  if (!table || !box) return;
  const wanted = box.value.trim().toLowerCase();
  const all = [...(table.tBodies[0]?.rows ?? [])];
  for (const row of all) {
    const hide = wanted !== "" && !(row.textContent ?? "").toLowerCase().includes(wanted);
    // Only where it differs: this runs again for each change of a row.
    if (row.hidden !== hide) row.hidden = hide;
  }
  const told = document.querySelector<HTMLElement>("#filtered");
  const text = wanted === "" ? "" : (told?.dataset.text ?? "").replace("{shown}", String(rows().length)).replace("{all}", String(all.length));
  if (told && told.textContent !== text) told.textContent = text;
}

function move(by: number): void {
  const there = rows();
  const at = there.findIndex((row) => row.contains(document.activeElement));
  const next = there[at < 0 ? (by > 0 ? 0 : there.length - 1) : Math.min(there.length - 1, Math.max(0, at + by))];
  next?.querySelector<HTMLElement>("th a")?.focus();
}

function press(key: string): boolean {
  const row = rows().find((one) => one.contains(document.activeElement));
  if (key === "j" || key === "k") move(key === "j" ? 1 : -1);
  else if (key === "w" && row) row.querySelector<HTMLElement>("[data-watch]")?.click();
  else if (key === "h") document.querySelector<HTMLElement>("#queue li a")?.focus();
  else return false;
  return true;
}

if (table) {
  for (const one of document.querySelectorAll<HTMLElement>("[data-scripts]")) one.hidden = false;
  box?.addEventListener("input", filter);
  new MutationObserver(filter).observe(table, { subtree: true, childList: true, characterData: true, attributeFilter: ["hidden"] });
  document.addEventListener("keydown", (event) => {
    const typing = event.target instanceof HTMLElement && event.target.closest("input, select, textarea, [contenteditable], lab-terminal, dialog");
    if (typing || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    if (press(event.key)) event.preventDefault();
  });
}
export {};
