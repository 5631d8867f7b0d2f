"""Exchange with learning platforms: quizzes (GIFT, QTI 2.1) and submissions."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path

from annlab import classroom
from annlab._support.errors import invalid
from annlab.classroom._base import Question
from annlab.classroom._submission import files_in, is_litter

#: Moodle: "Ada Lovelace_1234_assignsubmission_file", a folder or the beginning of a file name.
#: Canvas: "lovelaceada_LATE_1234_5678_topic_03.ipynb".
_MOODLE = re.compile(r"(?P<student>.+?)_(?P<number>\d+)_assignsubmission_file_?(?P<file>.*)")
_CANVAS = re.compile(r"(?P<student>[^_]+)(_LATE)?_(?P<number>\d+)_\d+_(?P<file>.+)")


# -- quiz ----------------------------------------------------------------------------------------


def write_quizzes(folder: Path, topics: Sequence[int] = ()) -> list[Path]:
    """Write the quizzes of topics (default: all) as GIFT and QTI 2.1."""
    quizzes = {number: classroom.questions(number) for number in topics or classroom.topics()}
    folder = Path(folder).expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for number, questions in quizzes.items():
        path = folder / f"{number:02d}_quiz.gift"
        path.write_text(gift(number, questions), encoding="utf-8", newline="\n")
        package = folder / f"{number:02d}_quiz_qti.zip"
        with zipfile.ZipFile(package, "w") as archive:
            for name, text in qti(number, questions).items():
                # with a fixed date, the same questions are the same file
                archive.writestr(zipfile.ZipInfo(name), text)
        written += [path, package]
    return written


def gift(number: int, questions: Sequence[Question]) -> str:
    """Return questions in Moodle's GIFT format."""
    parts = [f"// annlab, topic {number}"]
    for place, one in enumerate(questions, 1):
        lines = [f"::{number:02d}-Q{place}::{_escaped(one.text)} {{"]
        for letter, option in zip(one.letters, one.options, strict=True):
            lines.append(f"{'=' if letter == one.right else '~'}{_escaped(option)}")
        parts.append("\n".join([*lines, f"####{_escaped(one.because)}", "}"]))
    return "\n\n".join(parts) + "\n"


def _escaped(text: str) -> str:
    return re.sub(r"([~=#{}:\\])", r"\\\1", text)


def qti(number: int, questions: Sequence[Question]) -> dict[str, str]:
    """Return the files of a QTI 2.1 package by name: manifest, test, questions."""

    def filled(template: str, **texts: str) -> str:
        path = resources.files(__package__) / "content" / f"qti_{template}.xml"
        return path.read_text(encoding="utf-8").format(**texts)

    files, refs, entries = {}, [], []
    for place, one in enumerate(questions, 1):
        name = f"q{place}"
        choices = "\n".join(
            f'      <simpleChoice identifier="{letter}">{escape(option)}</simpleChoice>'
            for letter, option in zip(one.letters, one.options, strict=True)
        )
        text, because = escape(one.text), escape(one.because)
        files[f"{name}.xml"] = filled(
            "item", name=name, text=text, right=one.right, choices=choices, because=because
        )
        refs.append(f'      <assessmentItemRef identifier="{name}" href="{name}.xml"/>')
        entries.append(
            f'    <resource identifier="resource-{name}" type="imsqti_item_xmlv2p1" '
            f'href="{name}.xml"><file href="{name}.xml"/></resource>'
        )
    test = filled("test", title=f"annlab, topic {number}", items="\n".join(refs))
    manifest = filled("manifest", identifier=f"annlab-{number:02d}", items="\n".join(entries))
    return {"imsmanifest.xml": manifest, "quiz.xml": test, **files}


# -- submissions ---------------------------------------------------------------------------------


def import_download(course: Path, download: Path, assignment: str) -> tuple[list[str], list[str]]:
    """Copy submissions of one assignment into ``submitted/STUDENT/ASSIGNMENT/``.

    ``download`` is a folder or ZIP file from Moodle or Canvas. Returns whose work was copied, and
    the names that follow neither platform's pattern.
    """
    if not (course / "release" / assignment).is_dir():
        raise invalid("--assignment", f"an assignment in {course / 'release'}", repr(assignment))
    if not download.exists():
        raise invalid("DOWNLOAD", "a folder or a ZIP file", download)
    with tempfile.TemporaryDirectory(prefix="annlab-import-") as private:
        if download.is_file():
            shutil.unpack_archive(download, private, "zip")
            download = Path(private)
        owners: dict[str, str] = {}
        unknown = []
        for path in sorted(download.iterdir()):
            if is_litter(path.name):
                continue
            found = _MOODLE.fullmatch(path.name) or _CANVAS.fullmatch(path.name)
            if found is None or path.is_dir() == bool(found["file"]):
                unknown.append(path.name)
                continue
            student, number = found["student"], found["number"]
            # Canvas matches grades by this number; on Moodle it tells namesakes apart
            if found.re is _CANVAS or owners.get(student, number) != number:
                student = f"{student}_{number}"
            owners[student] = number
            place = course / "submitted" / student / assignment
            for file in files_in(path) if path.is_dir() else [path]:
                copy = place / (file.relative_to(path) if path.is_dir() else found["file"])
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)
    return sorted(owners), unknown
