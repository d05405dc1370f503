// Run blocks of the guide that are typed once: the button stays pressed for as long as this tab lives, reloads included.
const key = (figure: Element): string => `once ${location.pathname}${location.search} ${figure.querySelector("code")?.textContent ?? ""}`;

function pressed(figure: Element): void {
  for (const button of figure.querySelectorAll<HTMLButtonElement>("[data-type]")) button.disabled = true;
}

for (const figure of document.querySelectorAll("figure[data-once]")) if (sessionStorage.getItem(key(figure))) pressed(figure);

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-type]") : null;
  const figure = button?.closest("figure[data-once]");
  if (!figure) return;
  sessionStorage.setItem(key(figure), "1");
  // After the terminal has read it from the button.
  queueMicrotask(() => pressed(figure));
});
export {};
