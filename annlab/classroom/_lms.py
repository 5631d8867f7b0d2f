"""Exchange with learning platforms: quiz questions as GIFT and QTI 2.1, downloaded submissions."""

from __future__ import annotations

import re
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

from annlab import classroom
from annlab._support.errors import invalid
from annlab.classroom._base import Question
from annlab.classroom._submission import files_in, is_litter

_QTI = "http://www.imsglobal.org/xsd/imsqti_v2p1"
_PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
#: Moodle: "Ada Lovelace_1234_assignsubmission_file", a folder or the beginning of a file name.
#: Canvas: "lovelaceada_LATE_1234_5678_topic_03.ipynb".
_MOODLE = re.compile(r"(?P<student>.+?)_(?P<number>\d+)_assignsubmission_file_?(?P<file>.*)")
_CANVAS = re.compile(r"(?P<student>[^_]+)(_LATE)?_(?P<number>\d+)_\d+_(?P<file>.+)")


# -- quiz ----------------------------------------------------------------------------------------


def write_quizzes(folder: Path, topics: Sequence[int] = ()) -> list[Path]:
    """Write the quizzes, by default of all topics, as GIFT and QTI 2.1; return the paths."""
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
    """Return the files of a QTI 2.1 package by name: a manifest, a test, and the questions."""
    names = {f"q{place}": one for place, one in enumerate(questions, 1)}
    title = f"annlab, topic {number}"
    refs = [_tag("assessmentItemRef", identifier=name, href=f"{name}.xml") for name in names]
    section = _tag("assessmentSection", *refs, identifier="all", title=title, visible="true")
    part = {"identifier": "part", "navigationMode": "linear", "submissionMode": "individual"}
    test = _tag(
        "assessmentTest",
        _tag("testPart", section, **part),
        identifier="quiz",
        title=title,
        xmlns=_QTI,
    )
    files = {"quiz": test} | {name: _item(name, one) for name, one in names.items()}
    resources = [
        _tag(
            "resource",
            _tag("file", href=f"{name}.xml"),
            identifier=f"resource-{name}",
            type=f"imsqti_{'test' if name == 'quiz' else 'item'}_xmlv2p1",
            href=f"{name}.xml",
        )
        for name in files
    ]
    files["imsmanifest"] = _tag(
        "manifest",
        _tag("metadata", _tag("schema", "QTIv2.1 Package"), _tag("schemaversion", "1.0.0")),
        _tag("organizations"),
        _tag("resources", *resources),
        identifier=f"annlab-{number:02d}",
        xmlns=_PACKAGE,
    )
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return {
        f"{name}.xml": head + ElementTree.tostring(root, encoding="unicode") + "\n"
        for name, root in files.items()
    }


def _item(name: str, one: Question) -> ElementTree.Element:
    """Return one question; the explanation is shown whatever was answered."""
    single = {"cardinality": "single"}
    choices = [
        _tag("simpleChoice", option, identifier=letter)
        for letter, option in zip(one.letters, one.options, strict=True)
    ]
    choose = {"responseIdentifier": "RESPONSE", "shuffle": "false", "maxChoices": "1"}
    is_right = _tag(
        "match", _tag("variable", identifier="RESPONSE"), _tag("correct", identifier="RESPONSE")
    )
    return _tag(
        "assessmentItem",
        _tag(
            "responseDeclaration",
            _tag("correctResponse", _tag("value", one.right)),
            identifier="RESPONSE",
            baseType="identifier",
            **single,
        ),
        _tag("outcomeDeclaration", identifier="SCORE", baseType="float", **single),
        _tag("outcomeDeclaration", identifier="FEEDBACK", baseType="identifier", **single),
        _tag("itemBody", _tag("choiceInteraction", _tag("prompt", one.text), *choices, **choose)),
        _tag(
            "responseProcessing",
            _tag("responseCondition", _tag("responseIf", is_right, _set("SCORE", "float", "1"))),
            _set("FEEDBACK", "identifier", "why"),
        ),
        _tag(
            "modalFeedback",
            one.because,
            outcomeIdentifier="FEEDBACK",
            identifier="why",
            showHide="show",
        ),
        identifier=name,
        title=one.text,
        adaptive="false",
        timeDependent="false",
        xmlns=_QTI,
    )


def _set(outcome: str, kind: str, value: str) -> ElementTree.Element:
    return _tag("setOutcomeValue", _tag("baseValue", value, baseType=kind), identifier=outcome)


def _tag(tag: str, *content: str | ElementTree.Element, **attributes: str) -> ElementTree.Element:
    element = ElementTree.Element(tag, attributes)
    for part in content:
        if isinstance(part, str):
            element.text = part
        else:
            element.append(part)
    return element


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
