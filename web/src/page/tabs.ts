// <lab-tabs>: a list of links and the sections that they lead to become tabs, by the keys that people know of them (arrows, Home, End).
//
// What stands behind another tab stays in the page: a terminal stays connected, a form keeps what was typed. Tabs that the page of the
// guide does not name (a[data-more]) come when they are asked for. Without scripts all of it is links and sections below each other.

const KEPT = "labctl-tab ";

class LabTabs extends HTMLElement {
  private readonly more = document.createElement("button");

  connectedCallback(): void {
    // Moved about in the page it is connected again.
    if (this.tabs.length < 2 || this.tabs[0]?.hasAttribute("role")) return;
    const list = this.tabs[0]?.closest("ul");
    list?.setAttribute("role", "tablist");
    for (const tab of this.tabs) {
      tab.closest("li")?.setAttribute("role", "presentation");
      tab.setAttribute("role", "tab");
      const panel = this.panel(tab);
      tab.setAttribute("aria-controls", panel?.id ?? "");
      panel?.setAttribute("role", "tabpanel");
      panel?.setAttribute("aria-labelledby", tab.id);
    }
    this.furnish(list);
    this.addEventListener("click", (event) => this.pressed(event));
    this.addEventListener("keydown", (event) => this.typed(event));
    this.addEventListener("lab-wanted", (event) => this.wanted(event));
    this.select(this.first());
  }

  private get tabs(): HTMLAnchorElement[] {
    return [...this.querySelectorAll<HTMLAnchorElement>("ul.tabs a")];
  }

  private get shown(): HTMLAnchorElement[] {
    return this.tabs.filter((tab) => !tab.closest("li")?.hidden);
  }

  private panel(tab: HTMLAnchorElement): HTMLElement | null {
    return this.querySelector<HTMLElement>(`#${CSS.escape(tab.hash.slice(1))}`);
  }

  private furnish(list: Element | null | undefined): void {
    const rest = this.tabs.filter((tab) => tab.hasAttribute("data-more"));
    for (const tab of rest) tab.closest("li")?.toggleAttribute("hidden", true);
    this.more.type = "button";
    this.more.className = "plain";
    this.more.textContent = `+ ${this.dataset.more ?? ""}`;
    this.more.onclick = () => {
      for (const tab of rest) tab.closest("li")?.removeAttribute("hidden");
      this.more.remove();
      rest[0]?.focus();
    };
    // Beside the list and not in it: in a list of tabs there are tabs only.
    if (rest.length > 0) list?.after(this.more);
  }

  /** What the address names, else what was looked at before the page was turned, else what the page of the guide names first. */
  private first(): HTMLAnchorElement | undefined {
    let kept: string | null = null;
    try {
      kept = sessionStorage.getItem(KEPT + location.pathname);
    } catch {
      // Where the browser keeps nothing for us, the first it is.
    }
    const named = this.tabs.find((tab) => tab.hash === location.hash);
    return named ?? this.shown.find((tab) => tab.hash === kept) ?? this.shown[0];
  }

  private select(chosen: HTMLAnchorElement | undefined): void {
    if (!chosen) return;
    chosen.closest("li")?.removeAttribute("hidden");
    for (const tab of this.tabs) {
      tab.setAttribute("aria-selected", String(tab === chosen));
      tab.tabIndex = tab === chosen ? 0 : -1;
      this.panel(tab)?.toggleAttribute("hidden", tab !== chosen);
    }
    try {
      sessionStorage.setItem(KEPT + location.pathname, chosen.hash);
    } catch {
      // As above.
    }
  }

  private tab(event: Event): HTMLAnchorElement | undefined {
    return this.tabs.find((tab) => event.target instanceof Node && tab.contains(event.target));
  }

  private pressed(event: Event): void {
    const tab = this.tab(event);
    if (!tab) return;
    event.preventDefault();
    this.select(tab);
  }

  private typed(event: KeyboardEvent): void {
    const tab = this.tab(event);
    if (!tab || event.ctrlKey || event.altKey || event.metaKey) return;
    const shown = this.shown;
    const at = shown.indexOf(tab);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1 + shown.length, Home: 0, End: shown.length - 1, " ": at }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const chosen = shown[next % shown.length];
    this.select(chosen);
    chosen?.focus();
  }

  private wanted(event: Event): void {
    this.select(this.tabs.find((tab) => event.target instanceof Node && this.panel(tab)?.contains(event.target)));
  }
}

customElements.define("lab-tabs", LabTabs);
