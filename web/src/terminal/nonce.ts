// xterm.js makes <style> elements and has no option for a nonce (xterm.js#4445): they get it before they are inserted.

/** Run `work` while every style element that is made carries the page's nonce (<meta name="csp-nonce" nonce="...">). */
export function withNonce(work: () => void): void {
  const nonce = document.querySelector<HTMLMetaElement>("meta[name=csp-nonce]")?.nonce ?? "";
  const make = document.createElement;
  document.createElement = function (this: Document, name: string, options?: ElementCreationOptions): HTMLElement {
    const made = make.call(this, name, options) as HTMLElement;
    if (nonce && name.toLowerCase() === "style") made.nonce = nonce;
    return made;
  } as typeof document.createElement;
  try {
    work();
  } finally {
    document.createElement = make;
  }
}
