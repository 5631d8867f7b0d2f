"""The ``annlab`` command: its frame, the delivery of notebooks, and ``annlab lab``."""

from __future__ import annotations

import io
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from annlab import cli
from annlab._cli import delivery, lab
from annlab._cli.delivery import MANIFEST, deliver, describe
from annlab._cli.lab import lab_command
from annlab._cli.main import _parser
from annlab._support import places, progress
from annlab._version import __version__


def annlab(*words: str, **more) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "annlab", *words], capture_output=True, text=True, **more
    )


# -------------------------------------------------------------------------------------- the frame


def test_help_names_every_command_and_loads_none():
    code = (
        "import sys; from annlab.cli import COMMANDS, main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m, _ in COMMANDS.values() if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *page, loaded = done.stdout.strip().splitlines()
    assert loaded == "[]"
    for name in cli.COMMANDS:
        assert any(line.split()[:1] == [name] for line in page), name


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_of_a_command_ends_with_valid_examples(name, capsys):
    with pytest.raises(SystemExit) as left:
        cli.main([name, "--help"])
    page = capsys.readouterr().out
    assert left.value.code == 0
    assert f"usage: annlab {name}" in page and len(page.splitlines()) >= 8
    parser = _parser([name])
    below = parser._subparsers._group_actions[0].choices[name]
    calls = re.findall(r"^  annlab (\S.*)", below.epilog.partition("examples:")[2], flags=re.M)
    assert len(calls) >= 2
    for call in calls:
        words = shlex.split(call.partition("   ")[0])
        parsed = parser.parse_args(words[: words.index(">")] if ">" in words else words)
        assert parsed.command == name and callable(parsed.run)


def test_frame_shows_help_version_and_known_commands(capsys):
    assert cli.main([]) == 0
    assert "annlab lab" in capsys.readouterr().out
    for words, status in ((["--version"], 0), (["cluter"], 2)):
        with pytest.raises(SystemExit) as left:
            cli.main(words)
        assert left.value.code == status
    said = capsys.readouterr()
    assert said.out == f"annlab {__version__}\n" and "cluster" in said.err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "annlab lab: out of memory. Close other programs"),
        (ValueError("--dir must be a folder"), "annlab lab: --dir must be a folder\n"),
    ],
)
def test_errors_are_one_sentence_and_status_2(monkeypatch, capsys, error, said):
    def run(options):
        raise error

    monkeypatch.setattr("annlab._cli.lab.run", run)
    assert cli.main(["lab"]) == 2
    assert capsys.readouterr().err.startswith(said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--dir", "a file"], "--dir must be a folder"),
        (["--dir", "mine"], 'pip install "annlab-kmeans[lab]"'),
        (["--no-copy", "--dir", "none"], "existing folder"),
        (["--no-copy"], "--no-copy must be used in a checkout"),
    ],
)
def test_lab_refuses_with_a_remedy(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    Path("a file").write_text("")
    monkeypatch.setitem(sys.modules, "jupyterlab", None)
    if words == ["--no-copy"]:
        monkeypatch.setattr(lab, "source_folder", lambda: places.PACKAGE / "_notebooks_src")
    assert cli.main(["lab", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_unsupported_characters_of_a_terminal_are_replaced(monkeypatch, encoding):
    bytes_out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(bytes_out, encoding=encoding))
    monkeypatch.setattr("annlab._cli.lab.run", lambda options: print("4 × 5 ≤ 20 \udce9") or 0)
    assert cli.main(["lab"]) == 0
    said = bytes_out.getvalue().decode(encoding)
    assert said.startswith("4 ") and said.endswith(" 20 ?\n")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["bench", "--help"]])
def test_closed_pipe_is_not_an_error(words):
    """For example in ``annlab doctor | true``."""
    command = [sys.executable, "-m", "annlab", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        said = process.stderr.read()
        assert (process.wait(), said) == (0, b"")


@pytest.mark.parametrize("close", ["2>&-", "2>&1 >&- | true", ">&-"])
def test_closed_stream_does_not_end_a_fit(tmp_path, close):
    if shutil.which("sh") is None:
        pytest.skip("there is no POSIX shell")
    (tmp_path / "rows.csv").write_text("\n".join(f"{i},{i % 7}" for i in range(200)))
    words = shlex.join([sys.executable, "-m", "annlab", "cluster", "rows.csv", "--n-clusters", "3"])
    subprocess.run(["sh", "-c", f"{words} {close}"], cwd=tmp_path, capture_output=True)
    assert (tmp_path / "rows-clusters" / "report.json").exists()


def test_progress_is_shown_at_most_four_times_a_second(monkeypatch, capsys):
    now = [0.0]
    monkeypatch.setattr("annlab._support.progress.time.perf_counter", lambda: now[0])
    line = progress.Progress(True, 100, "work")
    for done in range(1, 101):
        now[0] += 0.1
        line.update(done, "on")
    line.close("is done")
    lines = capsys.readouterr().err.split("\r")[1:]
    assert len(lines) <= 10 * 4 + 2 and lines[-2].startswith("work 100/100, on, at most 0 s left")
    assert lines[-1].rstrip() == "work is done" and lines[-1].endswith("\n")


# ---------------------------------------------------------------------------------- the delivery


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    (folder / "images").mkdir(parents=True)
    for name in ("00_start_here.ipynb", "03_a.ipynb", "04_b.ipynb", "README.md"):
        (folder / name).write_text(f"{name}, first edition")
    (folder / "images" / "hero.png").write_bytes(b"\x89PNG first")
    (folder / "_output").mkdir()
    (folder / "_output" / "run.ipynb").write_text("not to be delivered")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode(errors="replace")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.relative_to(folder) != MANIFEST
    }


def test_first_delivery_copies_all_files(source, tmp_path):
    done = deliver(tmp_path / "mine", source=source)
    expected = contents(source)
    del expected["_output/run.ipynb"]
    assert contents(tmp_path / "mine") == expected
    assert sorted(done.added) == sorted(expected)


def test_newer_original_replaces_only_unchanged_files(source, tmp_path):
    mine = tmp_path / "mine"
    deliver(mine, source=source)
    (mine / "03_a.ipynb").write_text("my own work")
    for name in ("03_a.ipynb", "04_b.ipynb"):
        (source / name).write_text("second edition")
    done = deliver(mine, source=source)
    assert done.updated == ["04_b.ipynb"] and done.beside == [("03_a.ipynb", "03_a.new.ipynb")]
    assert (mine / "04_b.ipynb").read_text() == "second edition"
    assert (mine / "03_a.ipynb").read_text() == "my own work"
    assert (mine / "03_a.new.ipynb").read_text() == "second edition"
    # offered once: not copied again after it was deleted, nor duplicated
    again = deliver(mine, source=source)
    assert again.kept == ["03_a.ipynb"] and not again.beside
    (mine / "03_a.new.ipynb").unlink()
    deliver(mine, source=source)
    assert not (mine / "03_a.new.ipynb").exists()


def test_work_in_the_newer_original_is_kept(source, tmp_path):
    mine = tmp_path / "mine"
    deliver(mine, source=source)
    (mine / "03_a.ipynb").write_text("my own work")
    (source / "03_a.ipynb").write_text("second edition")
    deliver(mine, source=source)
    (mine / "03_a.new.ipynb").write_text("my own work, continued")
    (source / "03_a.ipynb").write_text("third edition")
    assert deliver(mine, source=source).beside == [("03_a.ipynb", "03_a.new2.ipynb")]
    (source / "03_a.ipynb").write_text("fourth edition")
    assert deliver(mine, source=source).beside == [("03_a.ipynb", "03_a.new2.ipynb")]
    assert (mine / "03_a.new.ipynb").read_text() == "my own work, continued"
    assert (mine / "03_a.new2.ipynb").read_text() == "fourth edition"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"files": 3}', None])
def test_damaged_record_keeps_all_work(source, tmp_path, damage):
    mine = tmp_path / "mine"
    deliver(mine, source=source)
    (mine / "03_a.ipynb").write_text("my own work")
    if damage is None:
        (mine / MANIFEST).unlink()
    else:
        (mine / MANIFEST).write_text(damage)
    (source / "03_a.ipynb").write_text("second edition")
    deliver(mine, source=source)
    assert (mine / "03_a.ipynb").read_text() == "my own work"
    assert json.loads((mine / MANIFEST).read_text())["files"]


def as_notebook(text: str, count: int | None = None, python: str | None = None) -> str:
    language = {"name": "python"} | ({"version": python} if python else {})
    cell = {"cell_type": "code", "source": text, "execution_count": count, "outputs": []}
    metadata = {"kernelspec": {"name": "python3", "display_name": python}} if python else {}
    return json.dumps(
        {"cells": [cell], "metadata": metadata | {"language_info": language}, "nbformat": 4}
    )


def test_copies_have_no_outputs_and_everything_else(tmp_path):
    """A stored answer would be visible below the question that asks for a prediction."""
    mine = tmp_path / "mine"
    deliver(mine)
    originals = sorted(places.source_folder().glob("*.ipynb"))
    answered = 0
    for path in originals:
        original = json.loads(path.read_text(encoding="utf-8"))
        there = json.loads((mine / path.name).read_text(encoding="utf-8"))
        answered += sum(bool(cell.get("outputs")) for cell in original["cells"])
        for cell in original["cells"]:
            if cell["cell_type"] == "code":
                cell |= {"outputs": [], "execution_count": None}
        del original["metadata"]["widgets"]
        assert there == original
    assert answered > 10 * len(originals)


def test_copies_with_outputs_are_updated(source, tmp_path, monkeypatch):
    """Earlier versions of annlab delivered outputs, too."""
    mine = tmp_path / "mine"
    for name in ("03_a.ipynb", "04_b.ipynb"):
        (source / name).write_text(as_notebook("1 + 1", count=3))
    with monkeypatch.context() as earlier:
        earlier.setattr(delivery, "_as_delivered", lambda name, content: content)
        deliver(mine, source=source)
    (mine / "04_b.ipynb").write_text(as_notebook("2 + 2", count=1))
    done = deliver(mine, source=source)
    assert done.updated == ["03_a.ipynb"] and done.beside == [("04_b.ipynb", "04_b.new.ipynb")]
    assert json.loads((mine / "03_a.ipynb").read_text())["cells"][0]["execution_count"] is None
    assert (mine / "04_b.ipynb").read_text() == as_notebook("2 + 2", count=1)


def test_opened_notebook_is_unchanged_but_a_run_one_is_not(source, tmp_path):
    """JupyterLab writes its Python version into notebooks that are only opened."""
    mine = tmp_path / "mine"
    for name in ("03_a.ipynb", "04_b.ipynb"):
        (source / name).write_text(as_notebook("1 + 1"))
    deliver(mine, source=source)
    (mine / "03_a.ipynb").write_text(as_notebook("1 + 1", python="3.12.1"))
    (mine / "04_b.ipynb").write_text(as_notebook("1 + 1", count=7))
    opened = (mine / "03_a.ipynb").read_text()
    assert deliver(mine, source=source).kept == ["04_b.ipynb"]
    assert (mine / "03_a.ipynb").read_text() == opened
    for name in ("03_a.ipynb", "04_b.ipynb"):
        (source / name).write_text(as_notebook("2 + 2"))
    done = deliver(mine, source=source)
    assert done.updated == ["03_a.ipynb"]
    assert done.beside == [("04_b.ipynb", "04_b.new.ipynb")]
    assert (mine / "04_b.ipynb").read_text() == as_notebook("1 + 1", count=7)


def test_course_used_for_a_term_loses_nothing(source, tmp_path):
    """Files are changed, deleted, answered and added; then two new editions come."""
    mine = tmp_path / "mine"
    (source / "images" / "binder.svg").write_text("<svg>first</svg>")
    deliver(mine, source=source)
    (mine / "exercises" / "topic_03").mkdir(parents=True)
    theirs = {
        "03_a.ipynb": "my own work",
        "images/hero.png": "a picture that I drew over it",
        "images/mine.png": "a picture of mine",
        "exercises/topic_03/topic_03.ipynb": "my answers",
        "notes.txt": "read chapter 3",
        "README.md": "my own table of contents",
    }
    for name, text in theirs.items():
        (mine / name).write_text(text)
    (mine / "04_b.ipynb").unlink()
    (source / "exercises").mkdir()
    (source / "exercises" / "topic_03.ipynb").write_text("with the solutions")
    for edition in ("second", "third"):
        for name in ("03_a.ipynb", "04_b.ipynb", "00_start_here.ipynb", "images/binder.svg"):
            (source / name).write_text(f"{name}, {edition} edition")
        (source / "images" / "hero.png").write_bytes(b"\x89PNG " + edition.encode())
        done = deliver(mine, source=source)
        there = contents(mine)
        assert {name: there[name] for name in theirs} == theirs
        assert "04_b.ipynb" not in there and done.left_out == ["04_b.ipynb"]
        assert not any("solutions" in text for text in there.values())
        # unchanged files are updated; newer originals of changed ones are beside them
        assert there["00_start_here.ipynb"].endswith(f"{edition} edition")
        assert there["images/binder.svg"].endswith(f"{edition} edition")
        assert there["03_a.new.ipynb"] == f"03_a.ipynb, {edition} edition"
        assert there["images/hero.new.png"].endswith(edition)
        settled = contents(mine)
        assert describe(done, mine).count("03_a") >= 1 and "--restore" in describe(done, mine)
        again = deliver(mine, source=source)
        assert contents(mine) == settled and not (again.added or again.updated or again.beside)
    assert deliver(mine, source=source, restore=True).restored == ["04_b.ipynb"]
    assert contents(mine)["04_b.ipynb"] == "04_b.ipynb, third edition"


def test_pictures_and_pages_that_delivered_files_name_are_delivered(tmp_path):
    mine = tmp_path / "course"
    deliver(mine)
    for path in [*mine.glob("*.ipynb"), *mine.glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        for target in re.findall(
            r"\]\(((?!\w+:|/|\.\.)[^)\s#\\]+\.(?:png|svg|jpg|gif|ipynb|md))", text
        ):
            # links to what is not written yet are the notebooks' own test
            there = (places.source_folder() / target).is_file()
            if there and not target.startswith("exercises/"):
                assert (mine / target).is_file(), f"{path.name} names {target}: not delivered"


def test_links_and_folders_in_the_way_are_left_alone(source, tmp_path):
    mine = tmp_path / "mine"
    deliver(mine, source=source)
    elsewhere = tmp_path / "elsewhere.ipynb"
    elsewhere.write_text("03_a.ipynb, first edition")
    (mine / "03_a.ipynb").unlink()
    (mine / "03_a.ipynb").symlink_to(elsewhere)
    (mine / "04_b.ipynb").unlink()
    (mine / "04_b.ipynb").mkdir()
    (mine / "README.md").unlink()
    (mine / "README.md").symlink_to(tmp_path / "on a drive that is not there")
    for name in ("03_a.ipynb", "04_b.ipynb"):
        (source / name).write_text("second edition")
    deliver(mine, source=source, restore=True)
    assert elsewhere.read_text() == "03_a.ipynb, first edition"
    assert (mine / "03_a.ipynb").is_symlink() and (mine / "04_b.ipynb").is_dir()
    assert (mine / "README.md").is_symlink()


@pytest.mark.parametrize("seed", range(20))
def test_random_histories_lose_no_content_of_a_student(source, tmp_path, seed):
    """Random histories: everything that a student ever wrote and did not delete is still there."""
    chance = random.Random(seed)
    mine = tmp_path / "mine"
    deliver(mine, source=source)
    written: dict[str, str] = {}
    deleted: set[str] = set()
    for turn in range(40):
        here = [name for name in contents(mine) if name.endswith(".ipynb")]
        action = chance.choice(["write", "delete", "edition", "deliver", "deliver", "restore"])
        if action == "write":
            name = chance.choice([*here, "03_a.ipynb", "mine.ipynb"])
            written[name] = f"work of turn {turn}"
            deleted.discard(name)
            (mine / name).write_text(written[name])
        elif action == "delete" and here:
            name = chance.choice(here)
            (mine / name).unlink()
            written.pop(name, None)
            deleted.add(name)
        elif action == "edition":
            (source / chance.choice(["03_a.ipynb", "04_b.ipynb"])).write_text(f"edition {turn}")
        else:
            deliver(mine, source=source, restore=action == "restore")
            if action == "restore":
                deleted.clear()
            there = contents(mine)
            for name, text in written.items():
                assert there[name] == text, (turn, name)
            for name in deleted & {"00_start_here.ipynb", "03_a.ipynb", "04_b.ipynb"}:
                assert name not in there, (turn, name)


def test_full_disk_leaves_no_partial_file(source, tmp_path):
    mine = tmp_path / "mine"
    deliver(mine, source=source)
    (source / "03_a.ipynb").write_text("x" * 200_000)
    code = (
        "import resource, signal, sys; from pathlib import Path\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "from annlab._cli.delivery import deliver\n"
        "deliver(Path(sys.argv[1]), source=Path(sys.argv[2]))"
    )
    pytest.importorskip("resource")
    done = subprocess.run(
        [sys.executable, "-c", code, str(mine), str(source)], capture_output=True, text=True
    )
    assert done.returncode != 0 and "OSError" in done.stderr
    assert (mine / "03_a.ipynb").read_text() == "03_a.ipynb, first edition"
    assert not list(mine.rglob(".03_a*"))


def test_originals_are_refused_as_target(source):
    with pytest.raises(ValueError, match=r"--dir must be a folder other .* --no-copy"):
        deliver(source, source=source)


def test_the_command_delivers_the_real_notebooks(tmp_path):
    mine = tmp_path / "course"
    done = annlab("lab", "--no-start", "--dir", str(mine))
    assert done.returncode == 0, done.stderr
    wanted = {p.name for p in places.source_folder().glob("*.ipynb")}
    assert wanted and {p.name for p in mine.glob("*.ipynb")} == wanted
    assert annlab("lab", "--no-start", "--dir", str(mine)).stdout.strip().endswith("is up to date.")


# ---------------------------------------------------------------------------------- the start


def started_with(monkeypatch, *words: str) -> list[str]:
    """Return the command line that would start JupyterLab."""
    seen: list[str] = []

    def becomes(words, env):
        seen[:] = words
        return 0

    monkeypatch.setattr(os, "execve", lambda path, words, env: becomes(words, env))
    monkeypatch.setattr("subprocess.call", becomes)
    assert cli.main(["lab", *words]) == 0
    return seen


def opened_folder(monkeypatch, *words: str) -> Path:
    (root,) = [
        word
        for word in started_with(monkeypatch, *words)
        if word.startswith("--ServerApp.root_dir=")
    ]
    return Path(root.partition("=")[2])


def test_authors_open_the_notebooks_of_the_checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert opened_folder(monkeypatch, "--no-copy") == places.source_folder().resolve()
    assert list(tmp_path.iterdir()) == []
    assert opened_folder(monkeypatch) == (tmp_path / "annlab-notebooks").resolve()


def test_inside_a_folder_of_copies_no_second_one_is_made(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lab", "--no-start"]) == 0
    mine = tmp_path / "annlab-notebooks"
    before = sorted(mine.rglob("*"))
    for here in (mine, mine / "images"):
        monkeypatch.chdir(here)
        assert cli.main(["lab", "--no-start"]) == 0
        assert capsys.readouterr().out.rstrip().endswith(f"{mine} is up to date.")
        assert sorted(mine.rglob("*")) == before
    # a folder of another name, made with --dir, is one as well
    monkeypatch.chdir(tmp_path)
    assert cli.main(["lab", "--no-start", "--dir", "course"]) == 0
    monkeypatch.chdir(tmp_path / "course")
    assert opened_folder(monkeypatch) == (tmp_path / "course").resolve()
    assert not (tmp_path / "course" / "annlab-notebooks").exists()


def test_among_the_originals_the_copies_are_beside_them(tmp_path, monkeypatch):
    checkout = tmp_path / "checkout"
    (checkout / "notebooks" / "images").mkdir(parents=True)
    monkeypatch.setattr(places, "PACKAGE", checkout / "annlab")
    for inside in ("", "images"):
        assert lab._own_folder(checkout / "notebooks" / inside) == checkout / "annlab-notebooks"
    assert lab._own_folder(checkout) == places.COPIES


def test_copies_in_a_checkout_are_not_tracked():
    root = places.source_folder().parent
    name = (places.COPIES / "03_kmeans_with_ann.ipynb").as_posix()
    asked = subprocess.run(["git", "check-ignore", name], cwd=root, capture_output=True, text=True)
    if asked.returncode == 128:
        pytest.skip("asks git, and this is no checkout")
    assert asked.stdout.strip() == name


def test_make_lab_opens_copies(tmp_path):
    makefile = Path(__file__).resolve().parent.parent / "Makefile"
    words = ["make", "-n", "-f", str(makefile), "-o", "env", "lab", "LAB_ARGS=--port 8890"]
    if shutil.which("make") is None:
        pytest.skip("there is no make here")
    said = subprocess.run(words, capture_output=True, text=True, cwd=makefile.parent).stdout
    assert "annlab lab -- --port 8890" in said and "--no-copy" not in said


def test_jupyterlab_gets_our_settings_beside_the_users(source, monkeypatch):
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "theirs")
    command, environment = lab_command(source, arguments=("--port", "8890"))
    assert command[0] == sys.executable and command[-2:] == ["--port", "8890"]
    assert "--LabApp.default_url=/lab/tree/00_start_here.ipynb" in command
    ours, theirs = environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)
    assert theirs == "theirs"
    overrides = Path(ours) / "labconfig" / "default_setting_overrides.json"
    notification = json.loads(overrides.read_text())["@jupyterlab/apputils-extension:notification"]
    assert notification == {"fetchNews": "false", "checkForUpdates": False}
    # its button "Validate" above every notebook means nothing to students
    page = json.loads(overrides.with_name("page_config.json").read_text())
    assert page["disabledExtensions"] == {"@jupyter/nbgrader": True}


def test_jupyterlab_reads_those_settings(source):
    pytest.importorskip("jupyterlab")
    _, environment = lab_command(source)
    code = (
        "from jupyterlab_server.settings_utils import _get_overrides\n"
        "from jupyterlab.labapp import LabApp\n"
        "print(_get_overrides('')[0]['@jupyterlab/apputils-extension:notification'])\n"
        "app = LabApp(); app.load_config_file()\n"
        "print(app.config.LabApp.news_url, app.config.LabApp.check_for_updates_class)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert "'fetchNews': 'false'" in done.stdout
    assert "None jupyterlab.NeverCheckForUpdate" in done.stdout


@pytest.mark.parametrize(
    ("words", "opens"),
    [
        ([], True),
        (["--port", "8890"], True),
        (["--no-browser"], False),
        (["--ServerApp.open_browser=False"], False),
        (["--no-browser", "--ServerApp.open_browser=True"], True),
    ],
)
def test_message_says_where_jupyterlab_opens(source, monkeypatch, capsys, words, opens):
    command = started_with(monkeypatch, "--no-copy", "--dir", str(source), "--", *words)
    assert command[len(command) - len(words) :] == words
    said = capsys.readouterr().out
    assert ("opens in your browser" in said) == opens
    assert ("copy the address below" in said) != opens


def test_argument_for_jupyterlab_gets_a_hint(capsys):
    with pytest.raises(SystemExit) as left:
        cli.main(["lab", "--no-start", "--port", "8890"])
    assert left.value.code == 2
    said = capsys.readouterr().err
    assert "unrecognized arguments: --port" in said
    assert "put -- before them: annlab lab --no-start -- --port 8890" in said
    with pytest.raises(SystemExit):
        cli.main(["doctor", "--port", "8890"])
    assert "JupyterLab" not in capsys.readouterr().err


def test_description_names_everything_that_was_delivered(tmp_path):
    done = delivery.Delivery(
        added=["a"],
        updated=["b", "c"],
        restored=["d", "e"],
        kept=["f"],
        beside=[("g.ipynb", "g (new).ipynb"), ("h", "h (new)")],
    )
    lines = describe(done, tmp_path).splitlines()
    assert lines[:5] == [
        f"1 files copied into {tmp_path}.",
        "2 files that you had not changed were brought up to date.",
        "Delivered again: d, e.",
        "g.ipynb is yours and was kept; the newer original is beside it: g (new).ipynb",
        "h is yours and was kept; the newer original is beside it: h (new)",
    ]
    assert any(line.startswith("Kept as you changed them: f.") for line in lines)
    assert not any(
        "brought up to date" in x for x in describe(delivery.Delivery(), tmp_path).split("\n")
    )


def test_only_root_is_allowed_root_and_a_page_that_is_not_there_is_not_opened(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    command, _ = lab_command(tmp_path)
    assert "--allow-root" not in command
    assert not any("default_url" in word for word in command)
    monkeypatch.setattr(os, "geteuid", lambda: 0, raising=False)
    assert "--allow-root" in lab_command(tmp_path)[0]


def test_missing_notebooks_are_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(places, "PACKAGE", tmp_path / "annlab")
    with pytest.raises(FileNotFoundError, match="Reinstall annlab"):
        places.source_folder()
    (tmp_path / "notebooks").mkdir()
    assert places.source_folder() == tmp_path / "notebooks"
