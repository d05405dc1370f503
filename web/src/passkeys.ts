// Passkeys in the browser. Buttons stay hidden where the browser has none, and everything else works without this script.

/** What this browser and the page answer to each other (WebAuthn Level 3, 5.1.8 to 5.1.10). */
const able = "PublicKeyCredential" in window && "parseCreationOptionsFromJSON" in PublicKeyCredential;

async function answer(kind: string, address: string, body: URLSearchParams): Promise<string> {
  const asked = await fetch(address, { method: "POST", body, credentials: "same-origin", headers: { Accept: "application/json" } });
  const told = await asked.json().catch(() => ({}));
  if (!asked.ok) throw new Error(`${told.detail ?? asked.statusText} ${told.hint ?? ""}`);
  const got =
    kind === "create"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(told) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(told) });
  return JSON.stringify((got as PublicKeyCredential).toJSON());
}

function serve(form: HTMLFormElement, from: HTMLElement, on: string): void {
  from.hidden = false;
  from.addEventListener(on, async (event) => {
    event.preventDefault();
    const status = form.querySelector<HTMLElement>("[role=status]");
    const field = form.elements.namedItem("passkey") as HTMLInputElement;
    const filled = new URLSearchParams([...new FormData(form)].map(([name, value]) => [name, String(value)]));
    try {
      field.value = await answer(from.dataset.passkey ?? "", from.dataset.options ?? "", filled);
      form.submit();
    } catch (problem) {
      const refused = problem instanceof DOMException && problem.name === "NotAllowedError";
      if (status) status.textContent = refused ? (from.dataset.refused ?? "") : String((problem as Error).message);
    }
  });
}

if (able) {
  for (const form of document.querySelectorAll<HTMLFormElement>("form[data-passkey]")) serve(form, form, "submit");
  for (const button of document.querySelectorAll<HTMLButtonElement>("button[data-passkey]")) {
    if (button.form) serve(button.form, button, "click");
  }
}
