// What is typed while the connection is away: a little of it, for a little while. It is sent when the same shell is there again and nobody
// else came to type in it meanwhile (api/terminals/marks.py); what is not sent is said to be so, and never a part of it is.

const MOST = 1024;
const LONGEST = 30_000;

/** Why what was typed is not sent: away for too long; too much of it; another shell, or somebody else types there. */
export type Lost = "" | "late" | "much" | "other";

export class Kept {
  private pieces: Uint8Array[] = [];
  private size = 0;
  private timer = 0;
  private away = false;
  private same = false;
  lost: Lost = "";

  constructor(private readonly changed: () => void) {}

  get waits(): boolean {
    return this.size > 0;
  }

  /** The connection is away, and will be tried again by itself. */
  leave(): void {
    this.away = true;
    this.same = false;
  }

  /** Whether this is kept, or lost: it is not to be sent now. */
  typed(data: Uint8Array): boolean {
    if (!this.away) {
      this.forget();
      return false;
    }
    if (this.lost) return true;
    if (!this.waits) this.timer = window.setTimeout(() => this.lose("late"), LONGEST);
    this.pieces.push(data);
    this.size += data.length;
    if (this.size > MOST) this.lose("much");
    this.changed();
    return true;
  }

  /** A shell is there: the same one, with nobody else at it, or not. What is kept waits for its screen. */
  attached(same: boolean): void {
    this.same = same;
    if (!same || !this.waits) this.end();
  }

  /** Its screen is there: what is to be sent now. */
  drawn(): Uint8Array[] {
    if (!this.same) return [];
    const pieces = this.pieces;
    this.empty();
    this.away = this.same = false;
    if (pieces.length > 0) this.changed();
    return pieces;
  }

  /** Nothing comes back by itself. */
  end(): void {
    if (this.waits) this.lose("other");
    this.away = this.same = false;
  }

  private lose(why: Lost): void {
    this.empty();
    this.lost = why;
    this.changed();
  }

  private forget(): void {
    if (!this.lost) return;
    this.lost = "";
    this.changed();
  }

  private empty(): void {
    clearTimeout(this.timer);
    this.pieces = [];
    this.size = 0;
  }
}
