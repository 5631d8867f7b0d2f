"""Exchange with learning platforms: GIFT and QTI read back, downloads of Moodle and Canvas."""

from __future__ import annotations

import re
import shutil
import zipfile
from xml.etree import ElementTree

import pytest
from courses import ONLY

from annlab import classroom
from annlab.classroom import _lms
from annlab.classroom._base import Question
from annlab.cli import main

TOPICS = [number for number in classroom.topics() if not ONLY or number in ONLY]
TRICKY = [Question("Is {x} = ~1: #?", ("yes & <no>", "a\\b"), "B", "x = 1 {always}")]
QTI = {"q": "http://www.imsglobal.org/xsd/imsqti_v2p1"}


def read_gift(text):
    """Read questions as Moodle's parser does: escapes, then answers by their sign."""
    found = []
    plain = "\n".join(line for line in text.split("\n") if not line.startswith("//"))
    for block in re.split(r"\n\s*\n", plain.strip()):
        match = re.fullmatch(r"::(.*?)::(.*?)(?<!\\)\{(.*)(?<!\\)\}", block, flags=re.S)
        body, feedback = match[3].split("####")
        answers = re.findall(r"(?<!\\)([=~])((?:\\.|[^\\=~])*)", body)
        options = [(sign, re.sub(r"\\(.)", r"\1", text).strip()) for sign, text in answers]
        clean = [re.sub(r"\\(.)", r"\1", part).strip() for part in (match[2], feedback)]
        found.append((*clean, options))
    return found


@pytest.mark.parametrize("number", [*TOPICS, 0])
def test_gift_is_read_back(number):
    questions = classroom.questions(number) if number else TRICKY
    found = read_gift(_lms.gift(number, questions))
    assert len(found) == len(questions)
    for one, (text, because, options) in zip(questions, found, strict=True):
        assert (text, because) == (one.text, one.because)
        signs = ["=" if letter == one.right else "~" for letter in one.letters]
        assert options == list(zip(signs, one.options, strict=True))


@pytest.mark.parametrize("number", [*TOPICS, 0])
def test_qti_package_has_the_required_elements(number):
    questions = classroom.questions(number) if number else TRICKY
    files = {name: ElementTree.fromstring(x) for name, x in _lms.qti(number, questions).items()}
    manifest = files.pop("imsmanifest.xml")
    parts = {"p": "http://www.imsglobal.org/xsd/imscp_v1p1"}
    assert [child.tag.split("}")[1] for child in manifest] == [
        "metadata",
        "organizations",
        "resources",
    ]
    resources = manifest.findall("p:resources/p:resource", parts)
    assert [one.get("href") for one in resources] == list(files)
    assert [one.find("p:file", parts).get("href") for one in resources] == list(files)
    test = files.pop("quiz.xml")
    kinds = {one.get("href"): one.get("type") for one in resources}
    assert kinds.pop("quiz.xml") == "imsqti_test_xmlv2p1"
    assert set(kinds.values()) == {"imsqti_item_xmlv2p1"}
    items = test.findall("q:testPart/q:assessmentSection/q:assessmentItemRef", QTI)
    assert [one.get("href") for one in items] == list(files)
    for item, one in zip(files.values(), questions, strict=True):
        assert item.tag == f"{{{QTI['q']}}}assessmentItem"
        needed = {"identifier", "title", "adaptive", "timeDependent"}
        assert needed <= set(item.keys())
        # the order of the schema
        order = [child.tag.split("}")[1] for child in item]
        assert order == [
            "responseDeclaration",
            "outcomeDeclaration",
            "outcomeDeclaration",
            "itemBody",
            "responseProcessing",
            "modalFeedback",
        ]
        response = item.find("q:responseDeclaration", QTI)
        assert response.findtext("q:correctResponse/q:value", None, QTI) == one.right
        interaction = item.find("q:itemBody/q:choiceInteraction", QTI)
        assert interaction.get("responseIdentifier") == response.get("identifier")
        assert interaction.get("maxChoices") == "1"
        assert interaction.findtext("q:prompt", None, QTI) == one.text
        choices = interaction.findall("q:simpleChoice", QTI)
        assert {x.get("identifier"): x.text for x in choices} == dict(
            zip(one.letters, one.options, strict=True)
        )
        declared = {x.get("identifier") for x in item.findall("q:outcomeDeclaration", QTI)}
        assert {
            x.get("identifier") for x in item.iter(f"{{{QTI['q']}}}setOutcomeValue")
        } == declared
        assert item.findtext("q:modalFeedback", None, QTI) == one.because


def test_quizzes_are_reproducible_files(tmp_path):
    for name in "ab":
        _lms.write_quizzes(tmp_path / name, [3])
    first, second = (sorted((tmp_path / name).iterdir()) for name in "ab")
    assert [path.name for path in first] == ["03_quiz.gift", "03_quiz_qti.zip"]
    assert [x.read_bytes() for x in first] == [x.read_bytes() for x in second]
    assert "imsmanifest.xml" in zipfile.ZipFile(first[1]).namelist()
    with pytest.raises(ValueError, match="topic must be"):
        _lms.write_quizzes(tmp_path, [16])


# -- submissions ---------------------------------------------------------------------------------


@pytest.fixture
def empty_course(tmp_path):
    (tmp_path / "course" / "release" / "topic_03").mkdir(parents=True)
    return tmp_path / "course"


def download(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name, encoding="utf-8")
    return folder


def submitted(course):
    return sorted(
        path.relative_to(course / "submitted").as_posix()
        for path in (course / "submitted").rglob("*")
        if path.is_file()
    )


@pytest.mark.parametrize("packed", [False, True])
def test_moodle_download_is_sorted(empty_course, tmp_path, packed):
    source = download(
        tmp_path / "download",
        "Ada Lovelace_12_assignsubmission_file_/topic_03.ipynb",
        "Ada Lovelace_12_assignsubmission_file_/data/a.csv",
        "Ada Lovelace_99_assignsubmission_file_/topic_03.ipynb",
        "Bob_13_assignsubmission_file_topic_03 (1).ipynb",
        ".DS_Store",
    )
    if packed:
        source = tmp_path / "download.zip"
        shutil.make_archive(str(source.with_suffix("")), "zip", tmp_path / "download")
    students, unknown = _lms.import_download(empty_course, source, "topic_03")
    assert (students, unknown) == (["Ada Lovelace", "Ada Lovelace_99", "Bob"], [])
    assert submitted(empty_course) == [
        "Ada Lovelace/topic_03/data/a.csv",
        "Ada Lovelace/topic_03/topic_03.ipynb",
        "Ada Lovelace_99/topic_03/topic_03.ipynb",
        "Bob/topic_03/topic_03 (1).ipynb",
    ]


def test_canvas_download_is_sorted_and_unknown_files_are_named(empty_course, tmp_path, capsys):
    source = download(
        tmp_path / "download",
        "lovelaceada_12_345_topic_03.ipynb",
        "bobbob_LATE_13_346_topic_03-1.ipynb",
        "notes.txt",
    )
    argv = ["classroom", "import", str(empty_course), str(source), "--assignment", "topic_03"]
    assert main(argv) == 1
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "topic_03: 2 students: bobbob_13, lovelaceada_12"
    assert told[1].startswith("notes.txt: not named as Moodle or Canvas does")
    assert submitted(empty_course) == [
        "bobbob_13/topic_03/topic_03-1.ipynb",
        "lovelaceada_12/topic_03/topic_03.ipynb",
    ]
    (source / "notes.txt").unlink()
    assert main(argv) == 0, "a later download replaces the files"


def test_import_refuses_unknown_assignments_and_downloads(empty_course, tmp_path):
    with pytest.raises(ValueError, match="--assignment must be an assignment in"):
        _lms.import_download(empty_course, tmp_path, "topic_04")
    with pytest.raises(ValueError, match="DOWNLOAD must be a folder or a ZIP file"):
        _lms.import_download(empty_course, tmp_path / "none", "topic_03")
