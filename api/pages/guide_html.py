"""A guide's pieces as HTML that may stand in our pages: CommonMark and tables, raw HTML as text, links only where they are harmless."""

from __future__ import annotations

import functools
from collections.abc import MutableMapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import OptionsDict
from markupsafe import Markup

from labctl.model import guide_images

SCHEMES = ("http", "https", "mailto")
"""Where a guide's links may lead; relative ones stay in the page."""


class _Careful(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: N802 - the name is markdown-it's
        """Whether a link may stand in the page; else it is shown as it was written."""
        return _harmless(url)


@functools.cache
def _markdown() -> MarkdownIt:
    made = _Careful("commonmark", {"html": False, "linkify": False}).enable("table")
    # An image from elsewhere would tell another server who reads; the policy forbids it too. Then its text is shown.
    made.add_render_rule("image", _image)
    made.add_render_rule("link_open", _link)
    made.add_render_rule("table_open", lambda *_: '<div class="wide"><table>\n')
    made.add_render_rule("table_close", lambda *_: "</table></div>\n")
    return made


def text(markdown: str, images: str = "") -> Markup:
    """The HTML of Markdown that an author wrote. Headings go down by one: the page has its own. `images`: the address below which those of
    this guide are; without one their text is shown.
    """
    tokens = _markdown().parse(markdown)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = f"h{min(6, int(token.tag[1]) + 1)}"
    # markdown-it escapes all text, and raw HTML is off: what comes out is tags of its own only.
    return Markup(_markdown().renderer.render(tokens, _markdown().options, {"images": images}))  # noqa: S704


def _harmless(address: str) -> bool:
    try:
        parts = urlsplit(address.strip())
    except ValueError:
        return False
    return parts.scheme.lower() in SCHEMES or (not parts.scheme and not address.strip().startswith(("//", "\\")))


def _image(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
    alt = renderer.renderInlineAsText(tokens[at].children or [], options, env)
    shown = guide_images.Shown(0, alt, str(tokens[at].attrs.get("src", "")))
    if not shown.name or not env["images"]:
        return str(Markup('<span class="image">{}</span>').format(alt))
    return str(Markup('<img src="{}{}" alt="{}" loading="lazy">').format(env["images"], shown.name, alt))


def _link(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: OptionsDict, env: MutableMapping[str, Any]) -> str:
    del env
    if urlsplit(str(tokens[at].attrs.get("href", ""))).scheme:
        # A page of its own: neither the terminal's page nor who links is given away.
        tokens[at].attrSet("rel", "noopener noreferrer")
        tokens[at].attrSet("target", "_blank")
    return renderer.renderToken(tokens, at, options, {})
