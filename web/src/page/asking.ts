// Links that ask before something is done (a[data-ask]): the page they lead to is shown as a dialog. Without scripts it is that page.

import { restoreIn } from "./drafts";

const dialog = document.createElement("dialog");
let from: HTMLElement | null = null;

function fill(page: Document): boolean {
  const main = page.querySelector("main");
  const form = main?.querySelector("form");
  if (!main || !form) return false;
  const title = document.createElement("h2");
  title.id = "ask-title";
  title.tabIndex = -1;
  title.textContent = main.querySelector("h1")?.textContent ?? "";
  const rest = [...main.children].filter((one) => one.tagName !== "H1" && one.id !== "said").map((one) => document.importNode(one, true));
  dialog.setAttribute("aria-labelledby", title.id);
  dialog.replaceChildren(title, ...rest);
  restoreIn(dialog);
  // "Back" closes it, as Escape does.
  for (const link of dialog.querySelectorAll<HTMLElement>("form a.button")) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      dialog.close();
    });
  }
  return true;
}

async function ask(link: HTMLAnchorElement): Promise<void> {
  from = link;
  try {
    const answer = await fetch(link.href, { credentials: "same-origin", headers: { Accept: "text/html" } });
    if (answer.redirected || !answer.ok || !fill(new DOMParser().parseFromString(await answer.text(), "text/html"))) {
      location.assign(link.href);
      return;
    }
  } catch {
    location.assign(link.href);
    return;
  }
  if (!dialog.isConnected) document.body.append(dialog);
  dialog.showModal();
  (dialog.querySelector<HTMLElement>("input:not([type=hidden]), textarea") ?? dialog.querySelector<HTMLElement>("h2"))?.focus();
}

dialog.addEventListener("close", () => {
  // It may be open again by the time that this is said.
  if (dialog.open) return;
  // The row may have been drawn anew meanwhile: then the same link in it.
  const there = from?.isConnected ? from : document.querySelector<HTMLElement>(`a[href="${CSS.escape(from?.getAttribute("href") ?? "")}"]`);
  dialog.replaceChildren();
  there?.focus();
});

document.addEventListener("click", (event) => {
  if (event.defaultPrevented || event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>("a[data-ask]") : null;
  if (!link || dialog.contains(link)) return;
  event.preventDefault();
  void ask(link);
});
