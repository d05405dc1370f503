// What was typed into a form survives a reload (form[data-draft]): kept in this tab only, and gone once the form was taken.
// Secrets are never kept, and a form that came back from labctl with what was typed (data-typed) is newer than anything here.

const HERE = "labctl-draft-";

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

function fields(form: HTMLFormElement): Field[] {
  return [...form.elements].filter(
    (one): one is Field =>
      (one instanceof HTMLInputElement || one instanceof HTMLSelectElement || one instanceof HTMLTextAreaElement) &&
      one.name !== "" &&
      !["password", "hidden", "file"].includes(one.type),
  );
}

function keep(form: HTMLFormElement): void {
  const typed = fields(form).map((one) => [one.name, one instanceof HTMLInputElement && one.type === "checkbox" ? one.checked : one.value]);
  sessionStorage.setItem(HERE + form.dataset.draft, JSON.stringify(typed));
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

const forms = [...document.querySelectorAll<HTMLFormElement>("form[data-draft]")];
try {
  for (const form of forms) {
    if (!("typed" in form.dataset)) restore(form);
    form.addEventListener("input", () => keep(form));
    form.addEventListener("change", () => keep(form));
    form.addEventListener("submit", () => sessionStorage.setItem(`${HERE}sent`, form.dataset.draft ?? ""));
  }
  // On the page behind the form: it was taken.
  const sent = sessionStorage.getItem(`${HERE}sent`);
  if (sent !== null && location.search.includes("said=")) sessionStorage.removeItem(HERE + sent);
  sessionStorage.removeItem(`${HERE}sent`);
} catch {
  // Where the browser keeps nothing for us, the form is as labctl sent it.
}
export {};
