"""Dictionaries and lists that say when they are changed, so that a change costs what it changes and not what there is.

A `Things` holds the values of one kind by key; every dictionary and list below one of its values knows that value's `Mark`. What is put in
is copied into tracked containers, so who goes on changing the plain original changes nothing here. Copies that are taken out (`copy`,
`deepcopy`, `|`, slices) are plain again. A mark is a hint: it may be set for a value that was changed back, or that is gone. It is set
after the change: who sees the mark sees the change too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self, SupportsIndex

Mark = Callable[[], None]


def _in(value: Any, mark: Mark) -> Any:
    if isinstance(value, dict):
        return TrackedDict(mark, value)
    if isinstance(value, list):
        return TrackedList(mark, value)
    return value


class TrackedDict(dict[Any, Any]):
    """A dictionary below one value."""

    __slots__ = ("_mark",)

    def __init__(self, mark: Mark, values: Mapping[Any, Any]) -> None:
        super().__init__({key: _in(value, mark) for key, value in values.items()})
        self._mark = mark

    def _owned(self, key: Any, value: Any) -> Any:
        del key
        return _in(value, self._mark)

    def _changed(self, key: Any) -> None:
        del key
        self._mark()

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, self._owned(key, value))
        self._changed(key)

    def __delitem__(self, key: Any) -> None:
        super().__delitem__(key)
        self._changed(key)

    def __ior__(self, other: Any) -> Self:  # type: ignore[misc]
        self.update(other)
        return self

    def update(self, *others: Any, **more: Any) -> None:
        """As `dict.update`."""
        for key, value in dict(*others, **more).items():
            self[key] = value

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """As `dict.setdefault`."""
        if key not in self:
            self[key] = default
        return self[key]

    def pop(self, key: Any, *default: Any) -> Any:
        """As `dict.pop`."""
        there = key in self
        value = super().pop(key, *default)
        if there:
            self._changed(key)
        return value

    def popitem(self) -> tuple[Any, Any]:
        """As `dict.popitem`."""
        key, value = super().popitem()
        self._changed(key)
        return key, value

    def clear(self) -> None:
        """As `dict.clear`."""
        for key in list(self):
            del self[key]

    def __deepcopy__(self, memo: dict[int, Any]) -> dict[Any, Any]:
        return copy.deepcopy(dict(self), memo)

    def __copy__(self) -> dict[Any, Any]:
        return dict(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return (dict, (dict(self),))


class Things(TrackedDict):
    """The values of one kind. `tell` is told the key of a value that was put in, altered or taken away."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[str], None], values: Mapping[str, Any]) -> None:
        self._tell = tell
        super().__init__(lambda: None, {})
        for key, value in values.items():
            self.restore(key, value)

    def _owned(self, key: str, value: Any) -> Any:
        return _in(value, lambda: self._tell(key))

    def _changed(self, key: str) -> None:
        self._tell(key)

    def restore(self, key: str, value: Any) -> None:
        """Put back without a word."""
        dict.__setitem__(self, key, self._owned(key, value))

    def forget(self, key: str) -> None:
        """Take away without a word."""
        dict.pop(self, key, None)


class TrackedList(list[Any]):
    """A list below one value."""

    __slots__ = ("_mark",)

    def __init__(self, mark: Mark, values: Iterable[Any]) -> None:
        super().__init__(_in(value, mark) for value in values)
        self._mark = mark

    def append(self, value: Any) -> None:
        """As `list.append`."""
        super().append(_in(value, self._mark))
        self._mark()

    def extend(self, values: Iterable[Any]) -> None:
        """As `list.extend`."""
        super().extend(_in(value, self._mark) for value in values)
        self._mark()

    def insert(self, index: SupportsIndex, value: Any) -> None:
        """As `list.insert`."""
        super().insert(index, _in(value, self._mark))
        self._mark()

    def remove(self, value: Any) -> None:
        """As `list.remove`."""
        super().remove(value)
        self._mark()

    def pop(self, index: SupportsIndex = -1) -> Any:
        """As `list.pop`."""
        value = super().pop(index)
        self._mark()
        return value

    def clear(self) -> None:
        """As `list.clear`."""
        super().clear()
        self._mark()

    def sort(self, **how: Any) -> None:
        """As `list.sort`."""
        super().sort(**how)
        self._mark()

    def reverse(self) -> None:
        """As `list.reverse`."""
        super().reverse()
        self._mark()

    def __setitem__(self, index: Any, value: Any) -> None:
        plain = [_in(one, self._mark) for one in value] if isinstance(index, slice) else _in(value, self._mark)
        super().__setitem__(index, plain)
        self._mark()

    def __delitem__(self, index: Any) -> None:
        super().__delitem__(index)
        self._mark()

    def __iadd__(self, values: Iterable[Any]) -> Self:  # type: ignore[misc]
        self.extend(values)
        return self

    def __imul__(self, times: SupportsIndex) -> Self:
        plain = list(self) * times
        self[:] = plain
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> list[Any]:
        return copy.deepcopy(list(self), memo)

    def __copy__(self) -> list[Any]:
        return list(self)

    def __reduce__(self) -> tuple[Any, ...]:
        return (list, (list(self),))
