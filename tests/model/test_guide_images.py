"""Images of a guide: where they are shown, what is said of them, and what is none."""

from __future__ import annotations

import pytest

from labctl import errors
from labctl.model import guide, guide_images

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><text x="1">a &lt; b</text></svg>'


def complaints(text, names=("map.png",)):
    try:
        return guide.checked({"guide/01-a.md": text}, (), (), guide.Beside(images=frozenset(names)))[1]
    except errors.BadInput as error:
        return error.complaints


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("![A map](img/map.png)", [(1, "A map", "img/map.png")]),
        ('See ![a](img/a.png "Title") and ![b]( <img/b.png> ).', [(5, "a", "img/a.png"), (33, "b", "img/b.png")]),
        ("`![no](img/no.png)` but ``x ` y`` ![yes](img/yes.png)", [(35, "yes", "img/yes.png")]),
        (r"\![a link](https://example.org/)", []),
        ("Wow![1] is no image, and ![this][one] has its address elsewhere", [(26, "this", "")]),
        ("What a day!", []),
    ],
)
def test_a_line_shows_images_but_not_in_code(line, found):
    assert [(one.column, one.alt, one.address) for one in guide_images.shown(line)] == found


@pytest.mark.parametrize(
    ("text", "line", "column", "said"),
    [
        ("# A\n\nx ![m](img/mapp.png)", 3, 3, "there is no image 'img/mapp.png'; did you mean 'img/map.png'?"),
        ("![m](https://example.org/map.png)", 1, 1, "an image is a file of guide/img"),
        ("![m](img/../../secret.png)", 1, 1, "an image is a file of guide/img"),
        ("![m](img/deep/map.png)", 1, 1, "an image is a file of guide/img"),
        ("![m](img/.map.png)", 1, 1, "an image is a file of guide/img"),
        ("![m](img/map.bmp)", 1, 1, "png, jpg, jpeg, gif, webp, svg"),
        ("![m][map]\n\n[map]: img/map.png", 1, 1, "an image is a file of guide/img"),
        (":::note A\n![m](map.png)\n:::", 2, 1, "an image is a file of guide/img"),
    ],
)
def test_what_is_no_image_of_the_guide_is_said_with_its_place(text, line, column, said):
    found = complaints(text)
    assert [(one.line, one.column, one.warning) for one in found] == [(line, column, False)]
    assert said in found[0].text


def test_an_image_that_says_nothing_to_the_blind_is_warned_of():
    assert [(str(one), one.warning) for one in complaints("![ ](img/map.png)\n![A map](img/map.png)")] == [
        (
            "guide/01-a.md:1:1: warning: this image says nothing to those who cannot see it; write what it shows: ![text](img/…)",
            True,
        )
    ]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("a.png", PNG, ""),
        ("a.jpg", b"\xff\xd8\xff\xe0", ""),
        ("a.gif", b"GIF89a", ""),
        ("a.webp", b"RIFF\n\0\0\0WEBP", ""),
        ("a.svg", SVG, ""),
        ("a.svg", b"<svg><text>only = one</text></svg>", ""),
        ("a.svg", b'<?xml version="1.0"?>\n<!-- drawn by hand -->\n' + SVG, ""),
        ("a.png", SVG, "the file is not image/png"),
        ("a.svg", b"<html><svg></svg></html>", "the file is not image/svg+xml"),
        ("a.svg", b"<svg><script>alert(1)</script></svg>", "'<script' is not possible"),
        ("a.svg", b'<svg onload="alert(1)"/>', "is not possible"),
        ("a.svg", b"<svg><g\nid='a' onClick ='x()'/></svg>", "is not possible"),
        ("a.svg", b"<svg><foreignObject/></svg>", "is not possible"),
        ("a.svg", b'<svg><a href="javascript:alert(1)"/></svg>', "is not possible"),
        ("a.svg", b'<!DOCTYPE svg [<!ENTITY a "b">]><svg/>', "the file is not image/svg+xml"),
        ("a.png", PNG + b"\0" * guide_images.MOST_BYTES, "at most 2048 KiB"),
    ],
)
def test_a_file_is_what_its_name_says_and_nothing_that_runs(name, data, said):
    why = guide_images.mistake(name, data)
    assert said in why
    assert bool(said) == bool(why)
