// <lab-terminal tickets="/api/v1/classrooms/SLUG/seats/N/tickets" machine="web" mode="own|watch|join">
//
// A terminal of a seat. Texts come from the page's catalogue as data-text-… attributes; what stands here is the English of last resort.
// <button data-type="ls -l" data-machine="web" data-enter> anywhere on the page types into the terminal of that machine.
import { FitAddon } from "@xterm/addon-fit";
import { UnicodeGraphemesAddon } from "@xterm/addon-unicode-graphemes";
import { Terminal } from "@xterm/xterm";
import { Connection, type Size, type There } from "./terminal/connection";
import { Kept } from "./terminal/kept";
import { KeyBar } from "./terminal/keys";
import { withNonce } from "./terminal/nonce";

const TEXTS: Record<string, string> = {
  waiting: "Reconnecting to the same shell…",
  held: "What you type is sent then.",
  late: "What you typed was not sent: the connection was away for too long.",
  much: "What you typed was not sent: it was too much to be kept.",
  other: "What you typed was not sent: this is not the same shell any more, or somebody else types in it.",
  unreachable: "This machine does not answer. Trying again…",
  ended: "The shell has ended.",
  closed: "This seat is closed or starts again. See its page.",
  crowded: "Too many terminals of this seat are open. Close one and try again.",
  alone: "This machine keeps no screen that others can see.",
  refused: "This terminal cannot be opened.",
  watch: "{who} is watching",
  join: "{who} asks to type along",
  types: "{who} is typing along",
  stop: "Stop",
  stopped: "The learner sent you away. You may look on again; they see it when you do.",
  asked: "You see what they see. You can type once the learner allows it.",
  plain: "A reload starts a new shell on this machine.",
  again: "Open again",
  reader: "Screen reader",
  leave: "Ctrl+Shift+M leaves the terminal",
};

// What a terminal says by itself and nobody typed: that one looks elsewhere, and answers to what programs ask of it.
const ITSELF = /^\x1b(\[[IO]$|\[[?>=][\d;]*\$?[a-z]$|\[\d+;\d+R$|\[\d*n$|[P\]])/;

export class LabTerminal extends HTMLElement {
  private terminal: Terminal | null = null;
  private connection: Connection | null = null;
  private readonly fit = new FitAddon();
  private readonly line = document.createElement("div");
  private readonly status = document.createElement("span");
  private readonly with = document.createElement("span");
  private readonly again = document.createElement("button");
  private readonly stop = document.createElement("button");
  private watching: ResizeObserver | null = null;
  private drawn = false;
  private said = "";
  private shell = false;
  private readonly kept = new Kept(() => this.say(this.said));
  private toType: [text: string, enter: boolean] | null = null;

  connectedCallback(): void {
    if (this.terminal) return;
    const seen = new IntersectionObserver((entries) => {
      if (!entries.some((one) => one.isIntersecting) || this.terminal) return;
      seen.disconnect();
      this.begin();
    });
    seen.observe(this);
  }

  disconnectedCallback(): void {
    this.watching?.disconnect();
    this.connection?.close();
    this.terminal?.dispose();
    this.terminal = null;
    this.drawn = false;
    this.kept.end();
    this.toType = null;
    this.replaceChildren();
  }

  /** Type it as if it were pasted: a shell that knows bracketed paste runs nothing before Enter. */
  write(text: string, enter: boolean): void {
    // Behind another tab, it comes to the front (page/tabs.ts).
    this.dispatchEvent(new CustomEvent("lab-wanted", { bubbles: true }));
    // Below the guide, as on a phone, it begins only once it is seen; what was to be typed waits for the machine's screen.
    this.scrollIntoView({ block: "nearest" });
    if (!this.drawn) {
      this.toType = [text, enter];
      return;
    }
    this.terminal?.paste(text);
    if (enter) this.type("\r");
    this.terminal?.focus();
  }

  private get mode(): string {
    return this.getAttribute("mode") ?? "own";
  }

  private text(name: string): string {
    return this.getAttribute(`data-text-${name}`) ?? TEXTS[name] ?? name;
  }

  private begin(): void {
    const screen = document.createElement("div");
    screen.className = "lab-screen";
    const terminal = new Terminal({
      allowProposedApi: true,
      disableStdin: this.mode === "watch",
      fontFamily: 'ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace',
      // At 1 some fonts lose their underscores to the next line.
      lineHeight: 1.15,
      fontSize: matchMedia("(max-width: 40rem)").matches ? 16 : 14,
      scrollback: 5000,
      linkHandler: { activate: follow, hover: (_event, target) => this.say(target), leave: () => this.say("") },
    });
    this.terminal = terminal;
    const keys = new KeyBar((text) => this.type(text));
    this.furnish(screen, keys);
    terminal.loadAddon(this.fit);
    withNonce(() => terminal.open(screen));
    terminal.loadAddon(new UnicodeGraphemesAddon());
    terminal.attachCustomKeyEventHandler((event) => this.leave(event));
    const size = (): Size => [terminal.cols, terminal.rows];
    const wanted = { machine: this.getAttribute("machine") ?? "", ...(this.hasAttribute("mode") ? { mode: this.mode } : {}) };
    const connection = new Connection(this.getAttribute("tickets") ?? "", wanted, size, {
      bytes: (data) =>
        terminal.write(data, () => {
          connection.took(data.length);
          this.begun();
          for (const piece of this.kept.drawn()) connection.send(piece);
        }),
      opened: (_machine, _mode, keeps, _source, same) => this.opened(keeps, same),
      sized: ([columns, rows]) => terminal.resize(columns, rows),
      with: (there) => this.tellWith(there),
      state: (state, detail) => this.stopped(state, detail),
    });
    this.connection = connection;
    terminal.onData((text) => this.type(keys.through(text)));
    terminal.onBinary((text) => this.type(Uint8Array.from(text, (sign) => sign.charCodeAt(0))));
    terminal.onResize(({ cols, rows }) => {
      if (this.mode === "own") connection.resize([cols, rows]);
    });
    if (this.mode === "own") {
      // Behind another tab it has no size, and keeps the one it had.
      const fit = (): void => (screen.clientWidth ? this.fit.fit() : undefined);
      this.watching = new ResizeObserver(fit);
      this.watching.observe(screen);
      window.visualViewport?.addEventListener("resize", fit);
      fit();
    }
    void connection.open();
  }

  private type(what: string | Uint8Array): void {
    const data = typeof what === "string" ? new TextEncoder().encode(what) : what;
    if (typeof what === "string" && ITSELF.test(what)) this.connection?.send(data);
    else if (!this.kept.typed(data)) this.connection?.send(data);
  }

  private begun(): void {
    if (this.drawn) return;
    this.drawn = true;
    if (this.toType) this.write(...this.toType);
    this.toType = null;
  }

  private furnish(screen: HTMLElement, keys: KeyBar): void {
    this.line.className = "lab-line";
    this.status.setAttribute("role", "status");
    this.with.className = "lab-with";
    this.with.setAttribute("role", "status");
    this.again.type = "button";
    this.again.className = "while-open";
    this.again.hidden = true;
    this.again.textContent = this.text("again");
    this.again.onclick = () => {
      this.again.hidden = true;
      void this.connection?.open();
    };
    this.stop.type = "button";
    this.stop.hidden = true;
    this.stop.textContent = this.text("stop");
    this.stop.onclick = () => this.connection?.stop();
    const reader = document.createElement("input");
    reader.type = "checkbox";
    reader.onchange = () => {
      if (this.terminal) this.terminal.options.screenReaderMode = reader.checked;
    };
    const label = document.createElement("label");
    label.append(reader, ` ${this.text("reader")}`);
    const help = document.createElement("small");
    help.textContent = this.text("leave");
    this.line.replaceChildren(this.status, this.again, this.with, this.stop, label, help);
    this.replaceChildren(screen, ...(this.mode === "watch" ? [] : [keys.element]), this.line);
  }

  private say(text: string): void {
    this.said = text;
    const more = this.kept.lost || (this.kept.waits ? "held" : "");
    this.status.textContent = more ? `${text} ${this.text(more)}`.trim() : text;
  }

  private opened(keeps: boolean, same: boolean): void {
    this.again.hidden = true;
    this.shell = keeps && this.mode === "own";
    this.kept.attached(same);
    // What comes first is the whole screen as the machine has it.
    this.terminal?.reset();
    this.say(keeps ? "" : this.text("plain"));
    this.dispatchEvent(new CustomEvent("lab-opened", { bubbles: true }));
  }

  private tellWith(there: There[]): void {
    const words = there.map((one) => this.text(one.types ? "types" : one.mode).replace("{who}", one.who));
    this.with.textContent = this.mode === "own" ? words.join(" · ") : "";
    if (this.mode === "join") this.say(there.some((one) => one.mode === "join" && one.types) ? "" : this.text("asked"));
    this.stop.hidden = this.mode !== "own" || there.length === 0;
    this.dispatchEvent(new CustomEvent("lab-with", { bubbles: true, detail: there }));
  }

  private stopped(state: string, detail: string): void {
    const waits = state === "waiting" || state === "unreachable";
    if (waits && this.shell) this.kept.leave();
    else if (!waits) this.kept.end();
    this.say(detail || this.text(state));
    this.again.hidden = waits;
    this.dispatchEvent(new CustomEvent("lab-stopped", { bubbles: true, detail: state }));
  }

  /** Tab is the shell's, so another key leaves for what comes after the screen. */
  private leave(event: KeyboardEvent): boolean {
    if (!(event.ctrlKey && event.shiftKey && event.code === "KeyM")) return true;
    event.preventDefault();
    if (event.type === "keydown") this.line.querySelector<HTMLElement>("input")?.focus();
    return false;
  }
}

/** Links that a guest printed: only web addresses, only with Ctrl, and never with a way back to this page. */
function follow(event: MouseEvent, target: string): void {
  if ((event.ctrlKey || event.metaKey) && /^https?:\/\//i.test(target)) window.open(target, "_blank", "noopener,noreferrer");
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest<HTMLElement>("[data-type]") : null;
  if (!button) return;
  const machine = CSS.escape(button.dataset.machine ?? "");
  const found = document.querySelector<LabTerminal>(machine ? `lab-terminal[machine="${machine}"]` : "lab-terminal");
  found?.write(button.dataset.type ?? "", button.hasAttribute("data-enter"));
});

customElements.define("lab-terminal", LabTerminal);
