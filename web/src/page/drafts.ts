// What was typed into a form survives a reload (form[data-draft]): kept in this tab only, and gone once the form was taken, or whoever
// typed it signs out. Secrets are never kept, and a form that came back from labctl with what was typed (data-typed) is newer than this.

const HERE = "labctl-draft-";
const SENT = "labctl-sent";

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

function fields(form: HTMLFormElement): Field[] {
  return [...form.elements].filter(
    (one): one is Field =>
      (one instanceof HTMLInputElement || one instanceof HTMLSelectElement || one instanceof HTMLTextAreaElement) &&
      one.name !== "" &&
      !["password", "hidden", "file"].includes(one.type),
  );
}

function draft(event: Event): HTMLFormElement | null {
  return event.target instanceof Element ? event.target.closest<HTMLFormElement>("form[data-draft]") : null;
}

// Where the browser keeps nothing for us, a form is as labctl sent it.
function able(work: () => void): void {
  try {
    work();
  } catch {}
}

function keep(form: HTMLFormElement): void {
  const typed = fields(form).map((one) => [one.name, one instanceof HTMLInputElement && one.type === "checkbox" ? one.checked : one.value]);
  able(() => sessionStorage.setItem(HERE + form.dataset.draft, JSON.stringify(typed)));
}

function restore(form: HTMLFormElement): void {
  const kept = JSON.parse(sessionStorage.getItem(HERE + form.dataset.draft) ?? "[]") as [string, string | boolean][];
  for (const [name, value] of kept) {
    const field = fields(form).find((one) => one.name === name);
    if (field instanceof HTMLInputElement && field.type === "checkbox") field.checked = value === true;
    // A course that was chosen by the page's address stays chosen.
    else if (field && !(field instanceof HTMLSelectElement && location.search)) field.value = String(value);
    if (field instanceof HTMLInputElement && value) field.closest("details")?.setAttribute("open", "");
  }
}

/** Put what was typed before into the forms of this part of a page. */
export function restoreIn(part: ParentNode): void {
  able(() => {
    for (const form of part.querySelectorAll<HTMLFormElement>("form[data-draft]")) if (!("typed" in form.dataset)) restore(form);
  });
}

function forget(name: string | undefined): void {
  able(() => sessionStorage.removeItem(HERE + name));
}

function signOut(): void {
  able(() => {
    for (const name of Object.keys(sessionStorage)) if (name.startsWith(HERE)) sessionStorage.removeItem(name);
  });
}

for (const happening of ["input", "change"]) {
  document.addEventListener(happening, (event) => {
    const form = draft(event);
    if (form) keep(form);
  });
}
document.addEventListener("submit", (event) => {
  const form = draft(event);
  if (form) able(() => sessionStorage.setItem(SENT, form.dataset.draft ?? ""));
  if (event.target instanceof HTMLFormElement && event.target.getAttribute("action") === "/sign-out") signOut();
});
// A form whose answer replaces a part of the page was taken when there is one that is no mistake.
document.addEventListener("htmx:after:request", (event) => {
  const form = draft(event);
  const { ctx } = (event as CustomEvent<{ ctx: { response?: { status: number } } }>).detail;
  if (form && ctx.response && ctx.response.status < 400) forget(form.dataset.draft);
});

able(() => {
  // On the page behind the form: it was taken.
  const sent = sessionStorage.getItem(SENT);
  if (sent !== null && location.search.includes("said=")) forget(sent);
  sessionStorage.removeItem(SENT);
});
restoreIn(document);
// What a page says was done is said once: not again after a reload.
if (location.search.includes("said=")) {
  const here = new URL(location.href);
  here.searchParams.delete("said");
  history.replaceState(history.state, "", here);
}
