// Every page's script: htmx and its server-sent events. Expressions are never compiled, so a strict policy holds (access.md 6).
import "./page/htmx";
import "htmx.org/dist/ext/hx-sse.js";
import "./page/away";
import "./page/drafts";
import "./page/copying";
import "./page/once";
import "./page/checking";
import "./page/over";
import "./page/moving";
import "./page/asking";
import "./page/board";
import "./page/tabs";
import "./page/parts";
import "./page/consoles";
