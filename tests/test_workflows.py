"""Workflows: checked against their schemas and the repository."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from outside import full, tool

ROOT = Path(__file__).resolve().parent.parent
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(
    set((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) - {GITHUB / "ISSUE_TEMPLATE/config.yml"}
)
#: what was run on this project's own machines; everything else in the matrix is declared untried
TRIED = {("ubuntu-latest", version) for version in ("3.11", "3.12", "3.13")}
yaml = pytest.importorskip("yaml")


def read(path: Path) -> dict:
    # YAML 1.1 reads the key `on` as a truth value; as text it is kept
    loaded = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    assert isinstance(loaded, dict), path
    return loaded


def steps(path: Path) -> list[dict]:
    return [step for job in read(path)["jobs"].values() for step in job["steps"]]


def commands(path: Path) -> str:
    return "\n".join(step.get("run", "") for step in steps(path))


# --------------------------------------------------------------------------------------- schemas

SCHEMAS = {
    "vendor.github-workflows": WORKFLOWS,
    "vendor.github-issue-forms": FORMS,
    "vendor.github-issue-config": [GITHUB / "ISSUE_TEMPLATE" / "config.yml"],
    "vendor.dependabot": [GITHUB / "dependabot.yml"],
    "vendor.citation-file-format": [ROOT / "CITATION.cff"],
}


def valid(schema: str, *paths: Path) -> subprocess.CompletedProcess:
    # the schemas come with the program: nothing is downloaded
    return subprocess.run(
        [tool("check-jsonschema"), "--builtin-schema", schema, *paths],
        capture_output=True,
        text=True,
    )


@full
@pytest.mark.parametrize("schema", SCHEMAS)
def test_files_for_github_follow_their_schema(schema):
    assert SCHEMAS[schema]
    checked = valid(schema, *SCHEMAS[schema])
    assert checked.returncode == 0, checked.stdout + checked.stderr


# --------------------------------------------------------------------------------------- contents


def test_untested_platforms_are_declared():
    matrix = read(GITHUB / "workflows" / "test.yml")["jobs"]["systems"]["strategy"]["matrix"]
    names = {"ubuntu-latest": "Linux", "macos-latest": "macOS", "windows-latest": "Windows"}
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = readme.split("## Tested where")[1].split("\n## ")[0]
    for system in matrix["os"]:
        assert names[system] in section, f"README says nothing about {names[system]}"
    untried = {python for python in matrix["python"] if ("ubuntu-latest", python) not in TRIED}
    for python in untried:
        assert python in section, f"README does not say that {python} was not tried"


def test_targets_and_scripts_of_the_steps_exist():
    """Finds renamed make targets, scripts, folders and extras."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    pyproject = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for path in WORKFLOWS:
        text = commands(path)
        calls = " ".join(re.findall(r"\bmake ([a-z -]+)", text)).split()
        for target in (word for word in calls if not word.startswith("-")):
            assert re.search(rf"^{target}:|^{target} ", makefile, re.M), (
                f"{path.name}: make {target}"
            )
        for script in re.findall(r"(?<!\S)(\.ci/\w+|binder/[\w.]+|tests/[\w./]+)", text):
            assert (ROOT / script).exists(), f"{path.name}: {script}"
        for extras in re.findall(r"-e \"?\.\[([a-z,]+)\]", text):
            for extra in extras.split(","):
                assert re.search(rf"^{extra} = \[", pyproject, re.M), f"{path.name}: [{extra}]"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_have_minimal_permissions(path):
    workflow = read(path)
    # rights are read-only unless one job says otherwise
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        assert int(job.get("timeout-minutes", 10)) <= 120, name
        rights = {"contents"} if path.stem == "address" else {"issues", "pages", "id-token"}
        assert set(job.get("permissions", {})) <= rights, name
    for step in steps(path):
        if "uses" in step:
            owner = step["uses"].split("/")[0]
            assert owner in {"actions", "pypa"} and "@" in step["uses"], step["uses"]
        # what strangers write (titles, branches, tags) reaches a shell as a variable only
        assert "github.event." not in step.get("run", ""), step


def test_no_password_is_stored_for_a_release():
    text = (GITHUB / "workflows" / "release.yml").read_text(encoding="utf-8")
    assert "secrets." not in text and "password" not in text.replace("No password", "")
    publish = read(GITHUB / "workflows" / "release.yml")["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert publish["environment"] == "release"
    assert [step["uses"].split("@")[0] for step in publish["steps"]] == [
        "actions/download-artifact",
        "pypa/gh-action-pypi-publish",
    ], "the job that may publish runs no code of its own"


def test_the_nightly_run_opens_one_issue_and_adds_to_it(tmp_path):
    """The script runs with a fake gh: first without an open issue, then with one."""
    if sys.platform == "win32":
        pytest.skip("the job runs in a shell of Linux")
    (step,) = read(GITHUB / "workflows" / "nightly.yml")["jobs"]["report"]["steps"]
    (tmp_path / "gh").write_text(
        f'#!/bin/sh\necho "$1 $2 $3" >> {tmp_path}/calls\n'
        f'[ "$1 $2" = "issue list" ] && cat {tmp_path}/open\nexit 0\n'
    )
    (tmp_path / "gh").chmod(0o755)
    for number, expected in (("", "issue create"), ("7", "issue comment 7")):
        (tmp_path / "open").write_text(number)
        (tmp_path / "calls").unlink(missing_ok=True)
        subprocess.run(
            ["bash", "-e", "-c", step["run"]],
            env={"PATH": f"{tmp_path}:/usr/bin:/bin", "RUN": "a run"},
            check=True,
        )
        last = (tmp_path / "calls").read_text().splitlines()[-1]
        assert last.startswith(expected)


# ------------------------------------------------------------------------------- the house's rest


def test_commands_of_contributing_exist():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in sorted(set(re.findall(r"(?:`|^ *)make ([a-z]+)", text, re.M))):
        assert re.search(rf"^(?:[a-z -]+ )?{target}\b[a-z -]*:", makefile, re.M), f"make {target}"
    for name in re.findall(r"`((?:annlab|tests|binder)/[\w./]+)`", text):
        assert (ROOT / name).exists(), name
