// A class that is over takes nothing any more: what would be refused is no longer offered (labctl.css), and what was typed and not sent
// stays, to be read and copied. Forms that are taken until the class is put away (data-lasts) stay until then.

type Field = HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement;

function fields(form: HTMLFormElement): Field[] {
  return [...form.elements].filter((one): one is Field => /^(INPUT|SELECT|TEXTAREA)$/.test(one.tagName));
}

function typed(one: Field): boolean {
  if (one instanceof HTMLSelectElement || one.type === "hidden") return false;
  if (one instanceof HTMLInputElement && ["checkbox", "radio"].includes(one.type)) return one.checked !== one.defaultChecked;
  return one.value !== one.defaultValue;
}

function ended(): HTMLFormElement[] {
  if (!document.body.classList.contains("over")) return [];
  const all = document.querySelectorAll<HTMLFormElement>("main form[method=post], dialog form[method=post]");
  return [...all].filter((form) => document.body.classList.contains("gone") || !("lasts" in form.dataset));
}

function end(form: HTMLFormElement): void {
  const kept = fields(form).filter(typed);
  form.hidden = kept.length === 0;
  for (const one of fields(form)) {
    if (one instanceof HTMLSelectElement || ["checkbox", "radio"].includes(one.type)) one.disabled = true;
    else one.readOnly = true;
  }
  // Enter in a field presses the first of them, seen or not.
  for (const one of form.querySelectorAll("button")) one.disabled = true;
  if (form.hidden) form.closest("dialog")?.close();
}

function settle(): void {
  for (const form of ended()) end(form);
}

/** Whether the class of this page is over, and something is still to be seen here that was typed and not sent. */
export function holdsOn(): boolean {
  return ended().some((form) => !form.hidden);
}

for (const [event, names] of [["over", ["over"]], ["closed", ["over", "gone"]]] as const) {
  document.addEventListener(event, () => {
    document.body.classList.add(...names);
    settle();
  });
}
// What is still told of the seat may bring forms with it.
document.addEventListener("htmx:after:swap", settle);
