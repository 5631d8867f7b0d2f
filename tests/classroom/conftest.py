"""A course of all topics, for the tests of grading."""

from __future__ import annotations

import shutil

import pytest
from courses import ONLY, SOURCES

from annlab.classroom import _course, _source


@pytest.fixture(scope="session")
def made(tmp_path_factory):
    """A course of all topics, made once, because that takes seconds."""
    pytest.importorskip("nbgrader", reason='needs pip install "annlab-kmeans[classroom]"')
    folder = tmp_path_factory.mktemp("made") / "course"
    assert _course.new_course(folder, ONLY) == [_source.assignment_name(n) for n in SOURCES]
    return folder


@pytest.fixture
def course(made, tmp_path):
    """A copy of the course to work on."""
    return shutil.copytree(made, tmp_path / "course")
