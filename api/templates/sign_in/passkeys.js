// Passkeys in the browser. Buttons stay hidden where the browser has none, and everything else works without this script.
const able = window.PublicKeyCredential && PublicKeyCredential.parseCreationOptionsFromJSON && PublicKeyCredential.parseRequestOptionsFromJSON;

async function answer(kind, address, body) {
  const asked = await fetch(address, { method: "POST", body, credentials: "same-origin" });
  const told = await asked.json();
  if (!asked.ok) throw new Error(told.detail + " " + (told.hint || ""));
  const got = kind === "create"
    ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(told) })
    : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(told) });
  return JSON.stringify(got.toJSON());
}

function serve(form, from, on) {
  from.hidden = false;
  from.addEventListener(on, async (event) => {
    event.preventDefault();
    const status = form.querySelector("[role=status]");
    try {
      form.elements.passkey.value = await answer(from.dataset.passkey, from.dataset.options, new URLSearchParams(new FormData(form)));
      form.submit();
    } catch (problem) {
      status.textContent = problem.name === "NotAllowedError" ? "No passkey was used. Try again, or use a password." : problem.message;
    }
  });
}

if (able) {
  for (const form of document.querySelectorAll("form[data-passkey]")) serve(form, form, "submit");
  for (const button of document.querySelectorAll("button[data-passkey]")) serve(button.form, button, "click");
}
