"""ipywidgets and anywidget, and their front ends in JupyterLab."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from pathlib import Path

from annlab._cli.doctor.findings import Finding
from annlab._cli.doctor.packages import install, installed, requirements, tested
from annlab._cli.doctor.probing import Probe, probe
from annlab._cli.doctor.shell import command_line


def _lab_extension(name: str) -> tuple[str | None, Path | None]:
    """Return version and folder of an extension, as JupyterLab finds it."""
    try:
        from jupyter_core.paths import jupyter_path

        folders = [Path(folder) for folder in jupyter_path("labextensions")]
    except ImportError:
        folders = [Path(sys.prefix) / "share" / "jupyter" / "labextensions"]
    for folder in folders:
        try:
            record = json.loads((folder / name / "package.json").read_text(encoding="utf-8"))
            return str(record["version"]), folder / name
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return None, None


def _switched_off() -> set[str]:
    """Return the extensions that the user or the site has disabled in JupyterLab."""
    try:
        from jupyter_core.paths import jupyter_config_path

        folders = [Path(folder) for folder in jupyter_config_path()]
    except ImportError:
        return set()
    off: set[str] = set()
    for folder in folders:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            page = folder / "labconfig" / "page_config.json"
            listed = json.loads(page.read_text(encoding="utf-8")).get("disabledExtensions", {})
            if isinstance(listed, dict):
                listed = [name for name, is_off in listed.items() if is_off]
            off.update(map(str, listed))
    return off


def _at_least(version: str | None, least: str) -> bool:
    """Compare versions such as "8.1.9" by their first three numbers."""

    def numbers(text: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", text.split("+")[0])[:3]]

    return version is not None and numbers(version) >= numbers(least)


def check_widgets() -> list[Finding]:
    """Check ipywidgets, anywidget and their matching front ends in JupyterLab."""
    findings = []
    off = _switched_off()
    least = {"ipywidgets": "8.1", "anywidget": "0.9.13"}
    for requirement in requirements() or []:
        bounds = [c.version for c in requirement.specifier if c.operator == ">="]
        if requirement.name in least and bounds:
            least[requirement.name] = bounds[0]
    for name, extension, front in (
        ("ipywidgets", "@jupyter-widgets/jupyterlab-manager", "5.0"),
        ("anywidget", "anywidget", ""),
    ):
        version = installed(name)
        front_version, place = _lab_extension(extension)
        got = probe(f"import {name}", name) if version else Probe("missing")
        facts = {"version": version, "front_end": front_version, "needed": least[name]}
        fix = install(tested(name))
        # the front end of ipywidgets is a package of its own, which may be installed but damaged
        package = "jupyterlab_widgets" if name == "ipywidgets" else name
        again = install("--force-reinstall", "--no-deps", tested(package))
        have_lab = installed("jupyterlab") is not None
        if version is None:
            needed = "every explorer of the notebooks" if name == "ipywidgets" else "some canvases"
            status = "problem" if name == "ipywidgets" else "warning" if have_lab else "note"
            text = f"{name} is not installed; {needed} needs it."
        elif not _at_least(version, least[name]):
            status, text = "problem", f"{name} {version} is too old: annlab needs {least[name]}."
        elif got.how != "ok":
            status = "problem"
            text = f"{name} {version} is installed but cannot be imported: {got.text or got.how}"
            fix = install("--force-reinstall", tested(name))
        elif not have_lab:
            status, fix = "ok", ""
            text = f"{name} {version}; without JupyterLab, its front end is not checked."
        elif place is None:
            status, fix = "problem", again
            text = f"JupyterLab lacks the front end of {name}: widgets show as text."
        elif front and not _at_least(front_version, front):
            status = "problem"
            text = f"The front end {extension} {front_version} is too old for {name} {version}."
            fix = install("--upgrade", tested("jupyterlab_widgets"))
        elif extension in off or f"{extension}:plugin" in off:
            status = "problem"
            text = f"The front end of {name} is switched off in JupyterLab: widgets show as text."
            fix = command_line(
                *(sys.executable, "-m", "jupyter", "labextension", "enable"),
                extension if extension in off else f"{extension}:plugin",
            )
        else:
            status, fix = "ok", ""
            text = f"{name} {version} with its front end {front_version}."
        findings.append(Finding(name, status, text, fix, facts))
    return findings
