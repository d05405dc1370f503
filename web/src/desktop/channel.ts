// What noVNC takes for a WebSocket: the binary frames of a connection whose text frames are ours, and which reconnects by itself.
import type { Connection } from "../terminal/connection";

export class Channel {
  binaryType = "arraybuffer";
  protocol = "binary";
  readyState: number = WebSocket.OPEN;
  onopen: (() => void) | null = null;
  onerror: ((event: unknown) => void) | null = null;
  onclose: ((event: unknown) => void) | null = null;
  onmessage: ((event: { data: ArrayBufferLike }) => void) | null = null;

  constructor(private readonly connection: Connection) {}

  send(data: Uint8Array | ArrayBuffer): void {
    if (this.readyState === WebSocket.OPEN) this.connection.send(new Uint8Array(data));
  }

  /** noVNC has had enough; whoever owns the connection decides what becomes of it. */
  close(): void {
    this.ended();
  }

  took(data: Uint8Array): void {
    if (this.readyState === WebSocket.OPEN) this.onmessage?.({ data: data.slice().buffer });
  }

  ended(): void {
    if (this.readyState === WebSocket.CLOSED) return;
    this.readyState = WebSocket.CLOSED;
    this.onclose?.({ code: 1000, reason: "" });
  }
}
