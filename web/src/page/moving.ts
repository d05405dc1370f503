// What a page follows may end: the page is loaded anew, and labctl then knows what is so. One on which a class ended with something typed on
// it stays as it is.
import { holdsOn } from "./over";

function anew(): void {
  if (!holdsOn()) location.reload();
}

// The machines of this seat went to another one: labctl's first page leads to whichever is theirs now.
document.addEventListener("moved", () => location.assign("/"));
// Signed out, or no more theirs to see: labctl knows which, and leads to where one signs in.
document.addEventListener("left", anew);
// The same where that came about while the page was not looked at, and its stream is asked for again.
document.addEventListener("htmx:sse:error", (event) => {
  const { status } = (event as CustomEvent<{ status?: number }>).detail;
  if (status === 401 || status === 403 || status === 404) anew();
});
