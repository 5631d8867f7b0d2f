"""The measures of the house: limits, and how they are counted."""

from __future__ import annotations

import house


def test_measures_are_within_their_limits():
    assert house.too_much(house.measure()) == {}, "python tests/house.py --worst says where"


def test_no_limit_is_below_its_target():
    for name, (limit, target) in house.LIMITS.items():
        assert limit >= target, f"{name}: the limit of a measure that is reached is its target"


def test_code_lines_are_without_comments_docstrings_and_blank_lines():
    text = '''"""A module."""

# a comment
X = """
# no comment, but part of a text
"""


def f():
    """Do it.

    Twice.
    """
    return X  # counts
'''
    file = house.File(house.ROOT / "example.py", text)
    assert file.code_lines() == 5
    assert list(file.functions()) == [(2, "example.py: f")]


def test_circles_are_found_where_they_close():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a", "e"}, "e": {"d"}, "f": {"a"}}
    assert house.circles(graph) == [["a", "b", "c"], ["d", "e"]]
