// The browser check (li[data-check]): each line says by itself what this browser could do here and now.

// Where names lead nowhere browsers may try for minutes.
const LONGEST = 15_000;

function tell(name: string, well: boolean): void {
  const line = document.querySelector<HTMLElement>(`[data-check="${name}"]`);
  if (!line) return;
  const sign = document.createElement("span");
  sign.ariaHidden = "true";
  sign.textContent = well ? "●" : "✕";
  line.className = well ? "good" : "bad";
  line.replaceChildren(sign, ` ${(well ? line.dataset.good : line.dataset.bad) ?? ""}`);
}

if (document.querySelector("[data-check]")) {
  tell("scripts", true);
  // Whoever shows no ticket is let go again; that the connection came about is all we want to know.
  const address = new URL("/ws/terminal", location.href);
  address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  const socket = new WebSocket(address);
  socket.onopen = () => {
    tell("websocket", true);
    socket.close();
  };
  socket.onerror = () => tell("websocket", false);
  // Web apps have names of their own; one that is nobody's is asked. An answer that labctl did not give is none.
  const apps = document.querySelector<HTMLElement>("[data-check=apps]")?.dataset.address;
  if (apps) {
    fetch(apps, { credentials: "omit", cache: "no-store", signal: AbortSignal.timeout(LONGEST) }).then(
      (answer) => tell("apps", answer.status === 204),
      () => tell("apps", false),
    );
  }
}
export {};
