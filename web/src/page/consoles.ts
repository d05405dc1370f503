// Where a terminal cannot get in, its tab offers the machine's own screen and starting again ([data-console], own_console.html).
// In both it is tried again by itself.
const OUTSIDE = new Set(["waiting", "unreachable"]);

function offer(event: Event, offered: boolean): void {
  const terminal = event.target instanceof Element ? event.target : null;
  if (terminal?.localName !== "lab-terminal") return;
  const found = terminal.parentElement?.querySelector<HTMLElement>("[data-console]");
  if (found) found.hidden = !offered;
}

document.addEventListener("lab-stopped", (event) => offer(event, OUTSIDE.has((event as CustomEvent<string>).detail)));
document.addEventListener("lab-opened", (event) => offer(event, false));
export {};
