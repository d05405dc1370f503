// <lab-desktop tickets="/api/v1/classrooms/SLUG/seats/N/tickets" machine="web" mode="own|watch|join" kind="console">
//
// The desktop of a machine of a seat. Texts come from the page's catalogue as data-text-… attributes; what stands here is the English of
// last resort. Whether somebody may act is decided by the API; here it is only shown.
import RFB from "@novnc/novnc";
import { Channel } from "./desktop/channel";
import { Connection, type There } from "./terminal/connection";

const TEXTS: Record<string, string> = {
  waiting: "Reconnecting to the desktop…",
  closed: "This seat is closed or starts again. See its page.",
  crowded: "Too many desktops of this seat are open. Close one and try again.",
  refused: "This desktop cannot be opened.",
  ended: "The desktop was left.",
  console: "This is the machine's own screen: its desktop does not answer.",
  watch: "{who} is watching",
  join: "{who} asks to work along",
  types: "{who} is working along",
  stop: "Stop",
  stopped: "The learner sent you away. You may look on again; they see it when you do.",
  again: "Open again",
  leave: "Ctrl+Shift+M leaves the desktop",
  screen: "Desktop of {machine}",
  keys: "Send Ctrl+Alt+Del",
  full: "Full screen",
  clipboard: "Clipboard of the desktop",
  paste: "Put into the desktop's clipboard",
};
const HELD: [keysym: number, code: string][] = [
  [0xffe3, "ControlLeft"],
  [0xffe4, "ControlRight"],
  [0xffe1, "ShiftLeft"],
  [0xffe2, "ShiftRight"],
];

export class LabDesktop extends HTMLElement {
  private connection: Connection | null = null;
  private rfb: RFB | null = null;
  private channel: Channel | null = null;
  private early: Uint8Array[] = [];
  private types = false;
  private readonly screen = document.createElement("div");
  private readonly line = document.createElement("div");
  private readonly status = document.createElement("span");
  private readonly with = document.createElement("span");
  private readonly again = document.createElement("button");
  private readonly stop = document.createElement("button");
  private readonly clip = document.createElement("textarea");
  // Older than noVNC's own, so it is told first.
  private readonly sized = new ResizeObserver(() => this.fits());

  connectedCallback(): void {
    if (this.connection) return;
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((one) => one.isIntersecting) || this.connection || !this.isConnected) return;
      seen.disconnect();
      this.begin();
    });
    seen.observe(this);
  }

  disconnectedCallback(): void {
    this.drop();
    this.connection?.close();
    this.connection = null;
    this.replaceChildren();
  }

  private get mode(): string {
    return this.getAttribute("mode") ?? "own";
  }

  private text(name: string): string {
    return this.getAttribute(`data-text-${name}`) ?? TEXTS[name] ?? name;
  }

  private begin(): void {
    this.furnish();
    const machine = this.getAttribute("machine") ?? "";
    const wanted = { machine, kind: this.getAttribute("kind") ?? "desktop", ...(this.hasAttribute("mode") ? { mode: this.mode } : {}) };
    this.connection = new Connection(this.getAttribute("tickets") ?? "", wanted, () => [80, 24], {
      bytes: (data) => this.took(data),
      opened: (_machine, _mode, _keeps, source) => this.opened(source),
      sized: () => undefined,
      with: (there) => this.tellWith(there),
      state: (state, detail) => this.stopped(state, detail),
    });
    void this.connection.open();
  }

  private furnish(): void {
    this.screen.className = "lab-picture";
    this.screen.setAttribute("role", "application");
    this.screen.setAttribute("aria-label", this.text("screen").replace("{machine}", this.getAttribute("machine") ?? ""));
    this.line.className = "lab-line";
    this.status.setAttribute("role", "status");
    this.with.className = "lab-with";
    this.with.setAttribute("role", "status");
    this.button(this.again, "again", () => {
      this.again.hidden = true;
      void this.connection?.open();
    });
    this.button(this.stop, "stop", () => this.connection?.stop());
    this.again.hidden = this.stop.hidden = true;
    this.again.className = "while-open";
    const full = this.button(document.createElement("button"), "full", () => void this.requestFullscreen());
    const help = document.createElement("small");
    help.textContent = this.text("leave");
    this.line.replaceChildren(this.status, this.again, this.with, this.stop, full, ...(this.mode === "watch" ? [] : this.tools()), help);
    this.replaceChildren(this.screen, this.line);
    this.sized.observe(this.screen);
    this.addEventListener("keydown", (event) => this.leave(event), true);
  }

  private tools(): HTMLElement[] {
    const keys = this.button(document.createElement("button"), "keys", () => this.rfb?.sendCtrlAltDel());
    const clipboard = document.createElement("details");
    const title = document.createElement("summary");
    title.textContent = this.text("clipboard");
    this.clip.rows = 2;
    this.clip.setAttribute("aria-label", this.text("clipboard"));
    const paste = this.button(document.createElement("button"), "paste", () => this.rfb?.clipboardPasteFrom(this.clip.value));
    clipboard.replaceChildren(title, this.clip, paste);
    return [keys, clipboard];
  }

  private button(made: HTMLButtonElement, name: string, press: () => void): HTMLButtonElement {
    made.type = "button";
    made.textContent = this.text(name);
    made.onclick = press;
    return made;
  }

  private took(data: Uint8Array): void {
    if (this.channel) this.channel.took(data);
    else this.early.push(data);
  }

  private opened(source: string): void {
    if (!this.connection) return;
    this.again.hidden = true;
    this.status.textContent = source === "console" && !this.hasAttribute("kind") ? this.text("console") : "";
    const channel = new Channel(this.connection);
    const rfb = new RFB(this.screen, channel, { shared: true });
    this.channel = channel;
    this.rfb = rfb;
    rfb.background = "#111";
    rfb.scaleViewport = true;
    this.fits();
    rfb.focusOnClick = true;
    this.acts();
    // From the desktop's clipboard only into a field that somebody has to copy from: a machine must not write to a trainer's clipboard.
    rfb.addEventListener("clipboard", (event) => {
      this.clip.value = (event as CustomEvent<{ text: string }>).detail.text;
    });
    rfb.addEventListener("connect", () => this.dispatchEvent(new CustomEvent("lab-opened", { bubbles: true })));
    rfb.addEventListener("disconnect", () => {
      if (this.rfb !== rfb) return;
      // noVNC did not understand what it got; the connection is still there.
      this.connection?.close();
      this.stopped("ended", "");
    });
    for (const data of this.early.splice(0)) channel.took(data);
  }

  /** Others look at the learner's desktop at the size that the learner gave it; behind another tab it keeps the one it had. */
  private fits(): void {
    if (this.rfb) this.rfb.resizeSession = this.mode === "own" && this.screen.clientWidth > 0;
  }

  private acts(): void {
    if (this.rfb) this.rfb.viewOnly = this.mode === "watch" || (this.mode === "join" && !this.types);
  }

  private tellWith(there: There[]): void {
    this.types = there.some((one) => one.mode === "join" && one.types);
    this.acts();
    const words = there.map((one) => this.text(one.types ? "types" : one.mode).replace("{who}", one.who));
    this.with.textContent = this.mode === "own" ? words.join(" · ") : "";
    this.stop.hidden = this.mode !== "own" || there.length === 0;
    this.dispatchEvent(new CustomEvent("lab-with", { bubbles: true, detail: there }));
  }

  private drop(): void {
    this.early = [];
    this.channel?.ended();
    this.channel = null;
    this.rfb = null;
    this.screen.replaceChildren();
  }

  private stopped(state: string, detail: string): void {
    this.drop();
    const waits = state === "waiting" || state === "unreachable";
    this.status.textContent = detail || this.text(waits ? "waiting" : state);
    this.again.hidden = waits;
    this.dispatchEvent(new CustomEvent("lab-stopped", { bubbles: true, detail: state }));
  }

  /** All keys are the desktop's, so one leaves for what comes after it; what is held by then is let go on the other side. */
  private leave(event: KeyboardEvent): void {
    if (!(event.ctrlKey && event.shiftKey && event.code === "KeyM")) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    for (const [keysym, code] of HELD) this.rfb?.sendKey(keysym, code, false);
    this.rfb?.blur();
    this.line.querySelector<HTMLElement>("button:not([hidden])")?.focus();
  }
}

customElements.define("lab-desktop", LabDesktop);
