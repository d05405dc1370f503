"""What people read who are not let in, or whose app does not answer: three sentences, in three languages. Nothing of a guest's is in it."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

LANGUAGES = ("en", "fr", "de")

TEXTS: Mapping[str, Mapping[str, str]] = {
    "nothing": {
        "en": "There is nothing at this address.",
        "fr": "Il n'y a rien à cette adresse.",
        "de": "Unter dieser Adresse ist nichts.",
    },
    "unknown": {
        "en": "Open this app from your seat's page. If it was open before, your class or your sign-in has ended.",
        "fr": "Ouvrez cette application depuis la page de votre place. Si elle était ouverte, votre classe ou votre session a pris fin.",
        "de": "Öffnen Sie diese Anwendung von der Seite Ihres Platzes. War sie schon offen, ist Ihr Kurs oder Ihre Anmeldung beendet.",
    },
    "closed": {
        "en": "This app cannot be opened this way now. Open it again from your seat's page.",
        "fr": "Cette application ne peut être ouverte ainsi maintenant. Ouvrez-la de nouveau depuis la page de votre place.",
        "de": "Diese Anwendung lässt sich so gerade nicht öffnen. Öffnen Sie sie noch einmal von der Seite Ihres Platzes.",
    },
    "silent": {
        "en": "Your machine is there, but this app does not answer. Look whether it runs, then reload.",
        "fr": "Votre machine est là, mais cette application ne répond pas. Vérifiez qu'elle tourne, puis rechargez.",
        "de": "Ihre Maschine ist da, aber diese Anwendung antwortet nicht. Sehen Sie nach, ob sie läuft, und laden Sie neu.",
    },
    "away": {
        "en": "labctl or your machine does not answer just now. Wait a moment, then reload.",
        "fr": "labctl ou votre machine ne répond pas pour le moment. Attendez un instant, puis rechargez.",
        "de": "labctl oder Ihre Maschine antwortet gerade nicht. Warten Sie einen Augenblick, dann laden Sie neu.",
    },
    "bad": {
        "en": "That request cannot be understood.",
        "fr": "Cette requête ne peut être comprise.",
        "de": "Diese Anfrage ist nicht zu verstehen.",
    },
}

_REASONS = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 502: "Bad Gateway", 503: "Service Unavailable"}


def answer(status: int, what: str, wanted: str, labctl: Sequence[str]) -> bytes:
    """A whole answer. `wanted` is the browser's Accept-Language, `labctl` the origins of labctl's own pages."""
    named = [part.strip()[:2].lower() for part in wanted.split(",")]
    language = next((one for one in named if one in LANGUAGES), LANGUAGES[0])
    link = f'<p><a href="{html.escape(labctl[0])}/" target="_top">labctl</a></p>' if labctl else ""
    text = html.escape(TEXTS[what][language])
    body = f'<!doctype html><html lang="{language}"><meta charset="utf-8"><title>labctl</title><p>{text}</p>{link}</html>\n'.encode()
    lines = [
        f"HTTP/1.1 {status} {_REASONS[status]}",
        "Content-Type: text/html; charset=utf-8",
        f"Content-Length: {len(body)}",
        "Cache-Control: no-store",
        "X-Content-Type-Options: nosniff",
        "Referrer-Policy: no-referrer",
        f"Content-Security-Policy: default-src 'none'; frame-ancestors 'self' {' '.join(labctl)}",
        "Connection: close",
    ]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode() + body
