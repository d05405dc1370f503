// While labctl does not answer: a page that follows says that what it shows is old, and a form stays as it was typed, with a sentence
// beside it, instead of the browser's page of errors. Only pages that follow can know; it is their stream that breaks.
const notice = document.getElementById("away");
let away = false;

function tell(now: boolean): void {
  away = now;
  if (notice) notice.hidden = !now;
  if (!now) for (const one of document.querySelectorAll("p.unsent")) one.remove();
}

document.addEventListener("htmx:sse:error", (event) => {
  const { status } = (event as CustomEvent<{ status?: number }>).detail;
  // What it may not see or what is gone has a page of its own (moving.ts).
  if (status === undefined || status >= 500) tell(true);
});
document.addEventListener("htmx:sse:after:connection", () => tell(false));

function unsent(form: HTMLFormElement): void {
  form.querySelector("p.unsent")?.remove();
  const said = document.createElement("p");
  said.className = "bad unsent";
  said.setAttribute("role", "alert");
  said.textContent = notice?.dataset.unsent ?? "";
  form.append(said);
}

document.addEventListener(
  "submit",
  (event) => {
    if (!away || !(event.target instanceof HTMLFormElement)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    unsent(event.target);
  },
  true,
);

// A part that replaces itself, at the very moment at which labctl goes away.
document.addEventListener("htmx:error", (event) => {
  const form = event.target instanceof Element ? event.target.closest("form") : null;
  if (form && form.method === "post") unsent(form);
});
export {};
