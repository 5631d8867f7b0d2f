"""Check that dependencies are installed and new enough; compare with pins."""

from __future__ import annotations

from typing import Any

from annlab._cli.doctor.findings import Finding
from annlab._cli.doctor.packages import (
    install,
    installed,
    pins,
    pins_file,
    requirements,
    tested,
)
from annlab._support.places import PACKAGE

#: What a package of the extra "lab" is for.
_PURPOSE = {
    "faiss-cpu": "notebook 10 and the faiss index",
    "umap-learn": "notebook 14",
    "scikit-image": "photographs",
    "anywidget": "canvases to draw on",
    "pandas": "tables",
    "pooch": "downloads",
    "h5py": "downloads",
    "wordllama": "documents by meaning",
}


#: Packages with a check of their own.
_LOOKED_AT_ELSEWHERE = {"hnswlib", "ipywidgets", "anywidget"}


def check_versions() -> list[Finding]:
    """Check that dependencies are installed and new enough; compare with pins."""
    declared = requirements()
    if declared is None:
        text = "The package packaging is missing, so versions cannot be compared."
        return [Finding("versions", "warning", text, install(tested("packaging")))]
    if not declared:
        text = "annlab is imported from a folder, and is not installed in this Python."
        return [Finding("versions", "problem", text, install("-e", str(PACKAGE.parent)))]
    declared = [one for one in declared if one.name not in _LOOKED_AT_ELSEWHERE]
    core = [one for one in declared if _applies(one, extra="")]
    lab = [one for one in declared if one not in core and _applies(one, extra="lab")]
    findings = _missing_or_old("packages", "problem", core)
    if installed("jupyterlab") is None:
        text = "The library is installed, but the packages of the notebooks are not."
        facts = {"missing": [one.name for one in lab if installed(one.name) is None]}
        findings.append(Finding("lab", "note", text, install("annlab-kmeans[lab]"), facts))
    else:
        findings += _missing_or_old("lab", "warning", lab)
    return [*findings, _against_pins()]


def _applies(requirement: Any, *, extra: str) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})


def _missing_or_old(group: str, status: str, declared: list[Any]) -> list[Finding]:
    """Return a finding for each outdated package, and one for all missing ones."""
    findings = []
    missing = []
    for requirement in declared:
        name, needed = requirement.name, requirement.specifier
        version = installed(name)
        if version is None:
            missing.append(name)
        elif not needed.contains(version, prereleases=True):
            text = f"{name} {version} is too old: annlab needs {needed}."
            facts = {"version": version, "needed": str(needed)}
            findings.append(Finding(name, status, text, install(tested(name)), facts))
    if missing:
        named = [f"{name} ({_PURPOSE[name]})" if name in _PURPOSE else name for name in missing]
        text = f"Not installed: {', '.join(named)}."
        fix = install(*map(tested, missing))
        findings.append(Finding(group, status, text, fix, {"missing": missing}))
    return findings


def _against_pins() -> Finding:
    file = pins_file()
    if file is None:
        fix = install("--force-reinstall", "--no-deps", "annlab-kmeans")
        text = "The list of tested versions is missing from annlab."
        return Finding("pins", "problem", text, fix)
    other = {}
    same = 0
    for name, wanted in pins().items():
        version = installed(name)
        if version == wanted:
            same += 1
        elif version is not None:
            other[name] = {"version": version, "tested": wanted}
    facts = {"file": str(file), "same": same, "other": other}
    if not other:
        return Finding("pins", "ok", f"All {same} packages have the tested versions.", facts=facts)
    some = [f"{name} {two['version']} (tested {two['tested']})" for name, two in other.items()]
    named = ", ".join(some[:4]) + (f" and {len(some) - 4} more" if len(some) > 4 else "")
    # hnswlib has its own finding, with the command that builds it
    back = [f"{name}=={two['tested']}" for name, two in other.items() if name != "hnswlib"]
    return Finding(
        "pins",
        "note",
        f"{same} packages are as tested; others may print other digits: {named}.",
        install(*back) if back else "",
        facts,
    )
