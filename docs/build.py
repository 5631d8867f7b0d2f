"""Build the site: lay out its pages, copy the front ends that it ships, call Sphinx.

    python docs/build.py [--out build/site]

The pages are a mirror of the repository, so that a link between two files of it is a link between
two pages: the notebooks as they are stored, the pages of notebooks/ and data/, and what this
folder adds (the first page, formulas). The list of the library's functions and the explorers are
made from the code and from the notebooks. Nothing is executed and nothing is downloaded.
"""

from __future__ import annotations

import argparse
import base64
import importlib
import importlib.metadata
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from annlab._authoring import badges
from annlab._authoring.cells import WIDGET_VIEW
from annlab._support.errors import MissingExtraError

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"

#: page -> (title, [(module, names or None for its __all__)])
API: dict[str, tuple[str, list[tuple[str, list[str] | None]]]] = {
    "clustering": (
        "Clustering",
        [
            ("annlab", ["kmeans", "kmeans_ann", "KMeansANN", "available_algorithms"]),
            ("annlab.robust", ["robust_kmeans_ann", "outlier_limit"]),
            ("annlab.parallel", ["parallel_kmeans_ann", "assign_points_to_clusters"]),
            ("annlab.faiss_kmeans", None),
            ("annlab.export", None),
            ("annlab.result", ["KMeansResult", "Step", "Trace"]),
            ("annlab.initialization", ["k_means_plus_plus", "k_means_parallel", "random_points"]),
        ],
    ),
    "indexes": (
        "Nearest neighbours",
        [
            ("annlab.indexes", None),
            (
                "annlab.distances",
                ["pairwise_sq", "nearest", "k_nearest", "paired_sq", "squared_norms", "unit_rows"],
            ),
        ],
    ),
    "applications": (
        "Pictures and documents",
        [("annlab.applications", ["segment_image", "cluster_documents", "learn_visual_words"])],
    ),
    "measuring": (
        "Measuring",
        [("annlab.metrics", None), ("annlab.benchmarks", None), ("annlab.plotting", None)],
    ),
    "datasets": ("Data", [("annlab.datasets", None)]),
    "widgets": ("Explorers", [("annlab.widgets", None)]),
    "classroom": ("Exercises", [("annlab.classroom", None)]),
}
#: scikit-learn makes these for every estimator, with references into its own documentation
MEMBERS = (
    "\n   :members:\n   :exclude-members: set_fit_request, set_predict_request, set_score_request, "
    "set_transform_request, set_partial_fit_request"
)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8", newline="\n")


# ------------------------------------------------------------------------------------- the course


def notebooks() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def jobs() -> list[Path]:
    """Return the notebooks of the gallery, each a job from data to result."""
    return sorted((ROOT / "notebooks" / "gallery").glob("*.ipynb"))


def lowered(match: re.Match[str]) -> str:
    return match.group(1) + match.group(2).lower()


def copy_course(source: Path) -> None:
    for path in (*notebooks(), *jobs()):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        for cell in notebook["cells"]:
            if cell["cell_type"] == "markdown":
                text = "".join(cell["source"])
                # JupyterLab keeps the capitals of a heading in its anchor, the site does not
                cell["source"] = re.sub(r"(?<=\]\()([^)\s:]*#)([^)\s]+)", lowered, text)
            for output in cell.get("outputs", ()):
                # without a kernel the picture of an explorer says more than its controls
                if "image/png" in output.get("data", {}):
                    output["data"].pop(WIDGET_VIEW, None)
        write(source / path.relative_to(ROOT), json.dumps(notebook))
    for folder, patterns in (
        ("notebooks", ("*.md", "images/*")),
        ("data", ("*.md", "benchmarks/*.md", "benchmarks/*.png", "benchmarks/*.svg")),
        (".", ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    ):
        for pattern in patterns:
            for path in (ROOT / folder).glob(pattern):
                target = source / path.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                if path.suffix == ".md":
                    text = path.read_text(encoding="utf-8")
                    write(target, repository_links(text, path))
                else:
                    shutil.copy(path, target)


def repository_links(text: str, path: Path) -> str:
    """Send links to files that are no page of the site (code, data) to the repository."""
    repository = badges.address(ROOT)

    def replaced(match: re.Match[str]) -> str:
        file, _, anchor = match.group(2).partition("#")
        if not file or re.match(r"[a-z]+:", file):
            return match.group(0)
        target = (path.parent / file).resolve()
        page = target.suffix in {".md", ".ipynb", ".png", ".svg"} and "exercises" not in file
        if page or not target.is_relative_to(ROOT) or not target.exists():
            return match.group(0)
        kind = "tree" if target.is_dir() else "blob"
        name = target.relative_to(ROOT).as_posix()
        link = f"{repository}/{kind}/{badges.BRANCH}/{name}" + (f"#{anchor}" if anchor else "")
        return f"{match.group(1)}({link})"

    return re.sub(r"(\[[^\]]*\])\(([^)\s]+)\)", replaced, text)


def title_and_question(path: Path) -> tuple[str, str]:
    """Title of a notebook, and the question that it begins with."""
    first = "".join(json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"])
    text = badges.without_badges(first)
    paragraphs = [part.strip() for part in text.split("\n\n") if part.strip()]
    title = paragraphs[0].removeprefix("# ").strip()
    question = next((p for p in paragraphs if p.startswith("**The question.**")), paragraphs[1])
    question = question.removeprefix("**The question.**").strip().replace("\n", " ")
    return title, question


def course_table() -> str:
    repository = badges.address(ROOT)
    lines = []
    for path in notebooks():
        title, question = title_and_question(path)
        lines.append(f"**[{title}](notebooks/{path.name})**\n: {question}")
        if not badges.is_placeholder(repository):
            link = badges.binder_link(repository, f"notebooks/{path.name}")
            lines[-1] += f" ([run it]({link}))"
        lines[-1] += "\n"
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------- the API


def api_pages(source: Path) -> None:
    """Write one page for each group of rooms; the text comes from the docstrings."""
    for page, (title, rooms) in API.items():
        parts = [f"{title}\n{'=' * len(title)}\n"]
        for module, names in rooms:
            loaded = importlib.import_module(module)
            listed = names if names is not None else list(loaded.__all__)
            if module != "annlab":
                parts.append(f"{module}\n{'-' * len(module)}\n\n.. automodule:: {module}\n")
            mark = "-" if module == "annlab" else "~"
            for name in listed:
                value = getattr(loaded, name)
                if not (callable(value) and getattr(value, "__doc__", None)):
                    continue
                kind = "autoclass" if isinstance(value, type) else "autofunction"
                members = MEMBERS if isinstance(value, type) else ""
                parts.append(
                    f"{name}\n{mark * len(name)}\n\n.. {kind}:: {module}.{name}{members}\n"
                )
        write(source / "api" / f"{page}.rst", "\n".join(parts))
    listed = "\n".join(f"   {page}" for page in API)
    intro = (
        "The library\n===========\n\nEvery function says what it takes and gives (shapes and "
        "types), what it costs, where the\nmethod comes from, and shows an example that the tests "
        "run. The formulas are in\n:doc:`../docs/formulas`.\n"
    )
    write(source / "api" / "index.rst", f"{intro}\n.. toctree::\n   :maxdepth: 2\n\n{listed}\n")


# ---------------------------------------------------------------------------------- the explorers


def explorers_in(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the explorers of a notebook, each with a picture that is stored of it.

    Every explorer shows itself with a picture beside the widget, for readers without a kernel.
    """
    notebook = json.loads(path.read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        for name in re.findall(r"\bwidgets\.([a-z_]+)\(", "".join(cell["source"])):
            for output in cell["outputs"]:
                data = output.get("data", {})
                if "image/png" in data:
                    yield name, base64.b64decode("".join(data["image/png"]))


def explorers(source: Path) -> None:
    """Write one card for each explorer: its stored picture, what it shows, where it is used."""
    widgets = importlib.import_module("annlab.widgets")
    known = widgets.available_explorers()
    cards: dict[str, str] = {}
    for path in notebooks():
        for name, picture in explorers_in(path):
            if name not in known or name in cards:
                continue
            published = ROOT / "notebooks" / "images" / f"{name}.png"
            target = source / "explorers" / f"{name}.png"
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(published.read_bytes() if published.exists() else picture)
            says = (getattr(widgets, name).__doc__ or "").strip().splitlines()[0]
            title, _ = title_and_question(path)
            cards[name] = (
                f":::{{container}} card\n![{says}](explorers/{name}.png)\n\n`{name}`: {says}\n\n"
                f"In [{title}](notebooks/{path.name}).\n:::\n"
            )
    intro = (
        "The explorers of the course, as the notebooks have stored them. In a running notebook\n"
        "you step, slide and predict; each is one line, and `help(widgets.step_explorer)` tells\n"
        "what it takes."
    )
    text = (
        f"# Explorers\n\n{intro}\n\n::::{{container}} cards\n"
        + "\n".join(cards.values())
        + "::::\n"
    )
    write(source / "explorers.md", text)


# ----------------------------------------------------------------------- what the site ships along


def installed_file(package: str, ending: str) -> Path:
    """Path of a file that an installed package brings along.

    Raises
    ------
    MissingExtraError
        If the package is not installed, or no longer has the file.
    """
    try:
        files = importlib.metadata.files(package) or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.as_posix().endswith(ending):
            return Path(str(file.locate())).resolve()
    raise MissingExtraError(
        f"The site ships {ending} of the package {package}, which is not installed or has no such "
        'file. Install it with: pip install "annlab-kmeans[site,lab]"'
    )


def ship_front_ends(static: Path) -> None:
    """Copy MathJax and the widgets' front ends, so that a page asks no other server."""
    static.mkdir(parents=True, exist_ok=True)
    script = installed_file("widgetsnbextension", "nbextensions/jupyter-js-widgets/extension.js")
    text = script.read_text(encoding="utf-8")
    # the map is beside the original only
    write(static / "jupyter-widgets.js", re.sub(r"//# sourceMappingURL=.*", "", text))
    bundle = installed_file("sphinx-mathjax-offline", "mathjax/tex-chtml-full.js")
    (static / "mathjax").mkdir(exist_ok=True)
    shutil.copy(bundle, static / "mathjax")
    fonts = Path("output") / "chtml" / "fonts"
    shutil.copytree(bundle.parent / fonts, static / "mathjax" / fonts, dirs_exist_ok=True)


# ------------------------------------------------------------------------------------------ build


def lay_out(source: Path) -> None:
    """Write the source tree that Sphinx reads."""
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    shutil.copy(DOCS / "conf.py", source)
    shutil.copytree(DOCS / "_static", source / "_static")
    copy_course(source)
    api_pages(source)
    explorers(source)
    ship_front_ends(source / "_static")
    course = "\n".join(f"notebooks/{path.stem}" for path in notebooks())
    gallery = "\n".join(f"notebooks/gallery/{path.stem}" for path in jobs())
    pages = [
        name
        for name in ("notebooks/glossary", "notebooks/TEACHING", "notebooks/README")
        if (source / f"{name}.md").exists()
    ]
    cases = sorted(
        (f"data/benchmarks/{path.stem}" for path in (source / "data" / "benchmarks").glob("*.md")),
        key=lambda name: (not name.endswith("/README"), name),
    )
    replaced = {
        "@COURSE_TABLE@": course_table(),
        "@COURSE@": course,
        "@GALLERY@": gallery,
        "@PAGES@": "\n".join(pages),
        "@MEASURED@": "\n".join(cases),
    }
    for path in DOCS.glob("*.md"):
        text = path.read_text(encoding="utf-8")
        for mark, value in replaced.items():
            text = text.replace(mark, value)
        folder = source if path.name == "index.md" else source / "docs"
        write(folder / path.name, text)


def build(out: Path) -> int:
    """Lay out the pages and run Sphinx; a warning is an error."""
    source = out.parent / f"{out.name}-source"
    lay_out(source)
    shutil.rmtree(out, ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-b", "html", "-W", "--keep-going", "-q", "-j", "auto",
         "-d", str(source / ".doctrees"), str(source), str(out)],
        check=False,
    )  # fmt: skip
    # a page like any other for hosts that would otherwise leave out folders with an underscore
    (out / ".nojekyll").touch()
    return done.returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "site", metavar="FOLDER")
    out = parser.parse_args().out
    code = build(out.resolve())
    print("the site was not built" if code else f"the site is ready: {out / 'index.html'}")
    return code


if __name__ == "__main__":
    sys.exit(main())
