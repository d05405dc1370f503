// The extensions look for htmx on the global object, and imports run in the order in which they stand.
import htmx from "htmx.org/dist/htmx.esm.js";

declare global {
  var htmx: unknown;
}
globalThis.htmx = htmx;
