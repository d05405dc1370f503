"""One kind of thing in the node's state: a dict that notices which of its values the present thread was given or has put in.

Only those can differ when a change ends, so that writing a change costs what it touched and not what there is. Values handed out one by
one are noticed at any time, for they may be altered later, inside a change. Going through all of them is noticed inside a change only:
who goes through them outside must not keep one to alter it.
"""

from __future__ import annotations

import threading
from collections.abc import ItemsView, ValuesView
from typing import Any, Self


class Notice(threading.local):
    """What this thread has touched since its work began, and how deep it is in changes."""

    def __init__(self) -> None:
        self.depth = 0
        self.touched: dict[str, set[str]] = {}

    def of(self, kind: str) -> set[str]:
        """The keys touched of a kind."""
        return self.touched.setdefault(kind, set())


class Things(dict[str, Any]):
    """See the module."""

    def __init__(self, kind: str, notice: Notice, content: dict[str, Any]) -> None:
        super().__init__(content)
        self._kind = kind
        self._notice = notice

    def _note(self, key: str) -> None:
        self._notice.of(self._kind).add(key)

    def _note_all(self) -> None:
        if self._notice.depth:
            self._notice.of(self._kind).update(self)

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def __setitem__(self, key: str, value: Any) -> None:
        self._note(key)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self._note(key)
        super().__delitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As a dict's."""
        self._note(key)
        return super().get(key, default)

    def setdefault(self, key: str, default: Any = None) -> Any:
        """As a dict's."""
        self._note(key)
        return super().setdefault(key, default)

    def pop(self, key: str, *default: Any) -> Any:
        """As a dict's."""
        self._note(key)
        return super().pop(key, *default)

    def popitem(self) -> tuple[str, Any]:
        """As a dict's."""
        self._note_all()
        return super().popitem()

    def clear(self) -> None:
        """As a dict's."""
        self._notice.of(self._kind).update(self)
        super().clear()

    def update(self, *others: Any, **more: Any) -> None:
        """As a dict's."""
        for key, value in dict(*others, **more).items():
            self[key] = value

    def __ior__(self, other: Any) -> Self:  # type: ignore[override,misc]
        self.update(other)
        return self

    def values(self) -> ValuesView[Any]:  # type: ignore[override]
        """As a dict's."""
        self._note_all()
        return super().values()

    def items(self) -> ItemsView[str, Any]:  # type: ignore[override]
        """As a dict's."""
        self._note_all()
        return super().items()
