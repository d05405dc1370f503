// The WebSocket of a terminal or desktop: a new ticket for each connection, reconnecting where that makes sense (api/terminals/frames.py).

export type Size = [columns: number, rows: number];
export type There = { who: string; mode: "watch" | "join"; types: boolean };

export interface Listener {
  bytes(data: Uint8Array): void;
  /** `same`: the shell of before the connection went, and nobody else came to type in it. */
  opened(machine: string, mode: string, keeps: boolean, source: string, same: boolean): void;
  sized(size: Size): void;
  with(there: There[]): void;
  /** `state`: waiting and unreachable (will try again by itself; the machine did not answer twice), ended (the shell is over), closed (the seat is), alone, refused. */
  state(state: "waiting" | "unreachable" | "ended" | "closed" | "crowded" | "alone" | "refused" | "stopped", detail: string): void;
}

const CODES: Record<number, "ended" | "closed" | "crowded" | "stopped"> = { 4000: "ended", 4403: "stopped", 4410: "closed", 4429: "crowded" };
const UNREACHABLE = 4502;
const FIRST_WAIT = 300;
const LONGEST_WAIT = 8000;
const ACK_BYTES = 16 * 1024;
const ACK_WAIT = 200;
const PIECE = 16 * 1024;

export class Connection {
  private socket: WebSocket | null = null;
  private wait = FIRST_WAIT;
  private timer = 0;
  private taken = 0;
  private ackTimer = 0;
  private over = false;
  private attempts = 0;
  private unreached = 0;
  private shell = "";

  constructor(
    private readonly tickets: string,
    private readonly wanted: { machine: string; mode?: string; kind?: string },
    private readonly size: () => Size,
    private readonly listener: Listener,
  ) {}

  /** Ask for a ticket and connect; what was open before is let go. */
  async open(): Promise<void> {
    this.close();
    this.over = false;
    const attempt = ++this.attempts;
    let answer: Response;
    try {
      answer = await fetch(this.tickets, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify(this.wanted),
        credentials: "same-origin",
      });
    } catch {
      return this.later("");
    }
    if (this.over || attempt !== this.attempts) return;
    const found = (await answer.json().catch(() => ({}))) as { ticket?: string; socket?: string; detail?: string };
    if (answer.ok && found.ticket) return this.connect(found.ticket, found.socket ?? "/ws/terminal");
    if (answer.status === 409 || answer.status >= 500) return this.later(found.detail ?? "");
    this.listener.state("refused", found.detail ?? "");
  }

  send(data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length; at += PIECE) this.put(bytes.slice(at, at + PIECE));
  }

  resize(size: Size): void {
    this.put(JSON.stringify({ size }));
  }

  /** Whoever watches or joins is out. */
  stop(): void {
    this.put(JSON.stringify({ stop: true }));
  }

  /** So many bytes are on the screen: said in lots, for the API only asks that it be said before 256 KiB are. */
  took(bytes: number): void {
    this.taken += bytes;
    if (this.taken >= ACK_BYTES) this.acknowledge();
    else if (!this.ackTimer) this.ackTimer = window.setTimeout(() => this.acknowledge(), ACK_WAIT);
  }

  close(): void {
    this.over = true;
    clearTimeout(this.timer);
    clearTimeout(this.ackTimer);
    this.ackTimer = 0;
    this.taken = 0;
    const socket = this.socket;
    this.socket = null;
    socket?.close();
  }

  private acknowledge(): void {
    clearTimeout(this.ackTimer);
    this.ackTimer = 0;
    if (this.taken) this.put(JSON.stringify({ ack: this.taken }));
    this.taken = 0;
  }

  private put(frame: string | Uint8Array<ArrayBuffer>): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(frame);
  }

  private connect(ticket: string, path: string): void {
    if (this.over) return;
    const address = new URL(path, location.href);
    address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(address, path === "/ws/desktop" ? ["binary"] : []);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => socket.send(JSON.stringify({ ticket, size: this.size(), ...(this.shell ? { shell: this.shell } : {}) }));
    socket.onmessage = (event: MessageEvent<string | ArrayBuffer>) => {
      if (this.socket !== socket) return;
      if (typeof event.data !== "string") return this.listener.bytes(new Uint8Array(event.data));
      this.told(JSON.parse(event.data) as Record<string, unknown>);
    };
    socket.onclose = (event) => {
      if (this.socket !== socket) return;
      this.socket = null;
      this.taken = 0;
      const state = CODES[event.code];
      if (event.code === UNREACHABLE) this.unreached++;
      if (state) this.listener.state(state, "");
      else this.later("");
    };
    this.socket = socket;
  }

  private told(said: Record<string, unknown>): void {
    if (said.opened) {
      const opened = said.opened as { machine: string; mode: string; keeps: boolean; source?: string; shell?: string; same?: boolean };
      this.wait = FIRST_WAIT;
      this.unreached = 0;
      this.shell = opened.shell ?? "";
      this.listener.opened(opened.machine, opened.mode, opened.keeps, opened.source ?? "", opened.same ?? false);
    }
    if (said.size) this.listener.sized(said.size as Size);
    if (said.with) this.listener.with(said.with as There[]);
    if (said.alone) this.listener.state("alone", "");
  }

  private later(detail: string): void {
    if (this.over) return;
    this.listener.state(this.unreached > 1 ? "unreachable" : "waiting", detail);
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.open(), this.wait);
    this.wait = Math.min(LONGEST_WAIT, this.wait * 2);
  }
}
