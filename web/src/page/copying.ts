// Buttons that copy (data-copy) are shown where the browser lets a page do that; the text stands beside them anyway.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-copy]")) button.hidden = false;
  document.addEventListener("click", async (event) => {
    const button = event.target instanceof Element ? event.target.closest<HTMLButtonElement>("button[data-copy]") : null;
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy ?? "");
    const before = button.textContent;
    button.textContent = button.dataset.done ?? before;
    setTimeout(() => (button.textContent = before), 2000);
  });
}
export {};
