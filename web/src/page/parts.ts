// The bar of a narrow window (nav.parts) leads to the parts of a long page. It says where one is, and back at a part one is where one left
// it, not at its beginning; pressed again it leads there. Without scripts it is links.
const bar = document.querySelector<HTMLElement>("nav.parts");
const left = new Map<string, number>();

const links = (): HTMLAnchorElement[] => [...(bar?.querySelectorAll("a") ?? [])];

function here(): HTMLAnchorElement | undefined {
  // The last part may be too short to ever come up.
  if (scrollY > 0 && scrollY + innerHeight > document.documentElement.scrollHeight - 2) return links().at(-1);
  const begun = links().filter((link) => (document.querySelector(link.hash)?.getBoundingClientRect().top ?? Infinity) < innerHeight / 2);
  return begun.at(-1) ?? links()[0];
}

function mark(): void {
  const at = here();
  for (const link of links()) {
    if (link === at) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

if (bar) {
  bar.addEventListener("click", (event) => {
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const from = here();
    if (!link || !from) return;
    left.set(from.hash, scrollY);
    const place = link === from ? undefined : left.get(link.hash);
    if (place === undefined) return;
    // After the browser went to its beginning, as links do.
    const back = (): void => scrollTo({ top: place, behavior: "instant" });
    if (location.hash === link.hash) setTimeout(back);
    else addEventListener("hashchange", back, { once: true });
  });
  addEventListener("scroll", mark, { passive: true });
  mark();
}
export {};
