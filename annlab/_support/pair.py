"""Results that unpack as a pair, as on the slides."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar


class Pair:
    """Base of results that unpack as the two attributes in ``_pair_names``.

    Examples
    --------
    >>> from annlab._support.pair import Pair
    >>> class Point(Pair):
    ...     _pair_names = ("x", "y")
    ...     x, y = 3, 4
    >>> x, y = Point()
    >>> (x, y, len(Point()), Point()[1])
    (3, 4, 2, 4)
    """

    __slots__ = ()
    _pair_names: ClassVar[tuple[str, str]]

    def _pair(self) -> tuple[Any, Any]:
        first, second = self._pair_names
        return getattr(self, first), getattr(self, second)

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[Any]:
        return iter(self._pair())

    def __getitem__(self, item: Any) -> Any:
        return self._pair()[item]
