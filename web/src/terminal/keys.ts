// The bar of keys that phones do not have.

const KEYS: [label: string, sends: string][] = [
  ["Esc", "\x1b"],
  ["Tab", "\t"],
  ["←", "\x1b[D"],
  ["↑", "\x1b[A"],
  ["↓", "\x1b[B"],
  ["→", "\x1b[C"],
  ["|", "|"],
  ["/", "/"],
  ["-", "-"],
  ["~", "~"],
];

export class KeyBar {
  readonly element = document.createElement("div");
  private readonly ctrl = document.createElement("button");

  constructor(press: (text: string) => void) {
    this.element.className = "lab-keys";
    this.element.setAttribute("role", "toolbar");
    this.ctrl.type = "button";
    this.ctrl.textContent = "Ctrl";
    this.ctrl.setAttribute("aria-pressed", "false");
    this.ctrl.onclick = () => this.ctrl.setAttribute("aria-pressed", String(!this.held));
    this.element.append(this.ctrl);
    for (const [label, sends] of KEYS) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = label;
      button.onclick = () => press(this.through(sends));
      this.element.append(button);
    }
    // The keyboard of a phone stays open when a key of the bar is touched.
    this.element.addEventListener("pointerdown", (event) => event.preventDefault());
  }

  /** What was typed, as control where Ctrl is held; it is let go afterwards. */
  through(text: string): string {
    if (!this.held || text.length !== 1) return text;
    this.ctrl.setAttribute("aria-pressed", "false");
    const code = text.toUpperCase().charCodeAt(0);
    return code >= 64 && code < 96 ? String.fromCharCode(code - 64) : text;
  }

  private get held(): boolean {
    return this.ctrl.getAttribute("aria-pressed") === "true";
  }
}
