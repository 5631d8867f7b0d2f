"""``annlab notebooks``: execute, normalise and check the notebooks of a checkout.

Executing stores outputs and widget states. Normalising removes whatever differs between two runs
or two machines, so that a difference in the file is a difference in what the reader sees.
Checking lists what a reader, GitHub or nbval would stumble over; the tests call it as well.
"""

from __future__ import annotations

import argparse
import ast
import copy
import hashlib
import json
import re
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from annlab._support.errors import invalid, require
from annlab.widgets._verdict import WORDS

#: What every saved notebook says about its kernel: what JupyterLab itself writes, but for the
#: version of Python, which differs from machine to machine.
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "codemirror_mode": {"name": "ipython", "version": 3},
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "nbconvert_exporter": "python",
    "pygments_lexer": "ipython3",
}
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

#: Tags that take a cell out of nbval's comparison, and what alone may justify that.
EXEMPT_TAGS = frozenset({"nbval-ignore-output", "nbval-skip", "skip-execution"})
ERROR_TAGS = frozenset({"raises-exception", "nbval-raises-exception"})
REASONS = ("timings", "embeddings")

#: Sections of a topic notebook, in this order: what the lint calls one, and how its heading reads.
SECTIONS: tuple[tuple[str, str], ...] = (
    ("vocabulary", r"vocabulary|words"),
    ("the naive version", r"naive|by hand|from scratch"),
    ("predict before you run", r"predict"),
    ("the idea", r"\bidea\b"),
    ("annlab's version", r"annlab"),
    ("the widget", r"step through|explore|play|try it|race|walk"),
    ("the slide, checked", r"slide"),
    ("failure modes", r"fail|breaks|goes wrong"),
    ("exercises", r"exercise"),
    ("your data", r"your (own )?data"),
    ("what we learned", r"learned"),
)
SETUP_LINES = 8
CODE_CELLS = (20, 35)
MEDIAN_LINES = 4
PROSE_WORDS = (900, 2000)
#: GitHub stops showing notebooks somewhat above this size.
MAX_BYTES = 8_000_000

#: Table of all verdicts, made from the notebooks by `verdict_table`.
VERDICTS_FILE = "README.md"
_VERDICT = re.compile(r"\| slide (\d+) says \| we measured \| verdict \|\n\|(?:-+\|)+\n(\|.*\|)")

#: Hosts that a stored output may name: publications, namespaces of SVG and MathML, and the
#: documentation links in scikit-learn's own displays.
KNOWN_HOSTS = frozenset(
    {"doi.org", "dx.doi.org", "arxiv.org", "www.w3.org", "purl.org", "creativecommons.org"}
    | {"matplotlib.org", "scikit-learn.org"}
)
_HOST = re.compile(r"\b(?:https?|ftp|wss?|file)://([^\s/\"'<>\\:]*)")
_NUMERIC_HOST = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}:\d+|\blocalhost\b")
_MEMORY = re.compile(r"\b0x[0-9a-fA-F]{6,}")
_PATH = re.compile(
    r"(?<![\w/.:<])/(?:home|root|Users|tmp|var|opt|usr|mnt|srv|work|private|builds?)/[\w.@+-]+"
    r"|\b[A-Za-z]:\\\\?[\w.]+"
)
_KERNEL_FILE = re.compile(r"\S*ipykernel_\d+[/\\]\d+\.py")
_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)[^)]*\)|!\[[^\]]*\]\(([^)\s]+)[^)]*\)")
_DECIMAL = re.compile(r"(?<![\w.])\d+\.\d{2,}(?![\w.]*\w)")


def is_topic(path: Path) -> bool:
    """Tell whether a notebook is one of the numbered topics, which follow the house's order.

    Examples
    --------
    >>> from pathlib import Path
    >>> from annlab._notebooks import is_topic
    >>> [is_topic(Path(name)) for name in ("00_start_here.ipynb", "03_kmeans_with_ann.ipynb")]
    [False, True]
    """
    return re.match(r"(?!00)\d\d_", path.name) is not None


# ------------------------------------------------------------------------------------- execution


def execute(notebook: Any, folder: Path, *, timeout: int = 600) -> Any:
    """Run all cells in a new kernel and store outputs and the states of all widgets.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Not changed.
    folder : Path
        Working folder of the kernel.
    timeout : int, default=600
        Seconds for one cell.

    Returns
    -------
    nbformat.NotebookNode

    Raises
    ------
    nbclient.exceptions.CellExecutionError
        Where a cell fails that is not tagged to.
    """
    nbclient = require("nbclient", purpose="to execute notebooks", extra="test")
    fresh = copy.deepcopy(notebook)
    # states of an earlier run would otherwise stay beside the new ones
    fresh.metadata.pop("widgets", None)
    client = nbclient.NotebookClient(
        fresh,
        timeout=timeout,
        kernel_name=KERNELSPEC["name"],
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=True,
        record_timing=False,
        coalesce_streams=True,
    )
    return client.execute()


# --------------------------------------------------------------------------------- normalisation


def normalise(notebook: Any, name: str) -> Any:
    """Return a copy without anything that differs between two runs of the same notebook.

    Parameters
    ----------
    notebook : nbformat.NotebookNode
        Not changed.
    name : str
        File name; enters the identifiers of its widgets.

    Returns
    -------
    nbformat.NotebookNode
        Normalising it again changes nothing.
    """
    clean = copy.deepcopy(notebook)
    clean.nbformat, clean.nbformat_minor = 4, 5
    states = clean.metadata.get("widgets")
    clean.metadata = type(clean.metadata)(kernelspec=KERNELSPEC, language_info=LANGUAGE)
    if states:
        clean.metadata["widgets"] = states
    taken: dict[str, int] = {}
    for cell in clean.cells:
        cell["id"] = _cell_id(cell, taken)
        kept = {key: cell.metadata[key] for key in ("annlab", "tags") if cell.metadata.get(key)}
        nbgrader = cell.metadata.get("nbgrader")
        cell["metadata"] = type(cell.metadata)(kept, **({"nbgrader": nbgrader} if nbgrader else {}))
        if cell.cell_type == "code":
            cell["outputs"] = [_normal_output(output) for output in _joined(cell.outputs)]
    return _renamed_widgets(clean, name)


def _cell_id(cell: Any, taken: dict[str, int]) -> str:
    """Name a cell by its content, so that it does not depend on who wrote it, or where."""
    text = f"{cell.cell_type}\n{_text(cell.source)}".encode()
    identifier = hashlib.sha256(text).hexdigest()[:12]
    taken[identifier] = taken.get(identifier, 0) + 1
    return identifier if taken[identifier] == 1 else f"{identifier}-{taken[identifier]}"


def _joined(outputs: list[Any]) -> list[Any]:
    """Join neighbouring pieces of one stream: where the kernel cuts it is chance."""
    joined: list[Any] = []
    for output in outputs:
        last = joined[-1] if joined else None
        if last and output.output_type == "stream" == last.output_type and output.name == last.name:
            last["text"] = _text(last.text) + _text(output.text)
        else:
            joined.append(output)
    return joined


def _normal_output(output: Any) -> Any:
    output.pop("transient", None)
    for holder, key in _text_places(output):
        holder[key] = _without_machine(_text(holder[key]))
    return output


def _text_places(output: Any) -> Iterator[tuple[Any, Any]]:
    """Yield (container, key) of every readable text of an output."""
    if output.output_type == "stream":
        yield output, "text"
    elif output.output_type == "error":
        for place in range(len(output.traceback)):
            yield output.traceback, place
        yield output, "evalue"
    else:
        for kind in output.data:
            if kind.startswith("text/") or kind == "image/svg+xml":
                yield output.data, kind


def _without_machine(text: str) -> str:
    text = _KERNEL_FILE.sub("<cell>", text)
    places = {
        str(Path(__file__).resolve().parent.parent): "<checkout>",
        sys.prefix: "<environment>",
        sys.base_prefix: "<python>",
        str(Path.home()): "~",
    }
    # the longest first: an environment often lies inside the checkout
    for place in sorted(places, key=len, reverse=True):
        if len(place) > 1:
            text = text.replace(place, places[place])
    return text


def _renamed_widgets(notebook: Any, name: str) -> Any:
    """Number the widget models in the order of their making; the kernel gave them random names.

    The number leads the new name, so that sorting the names (as the file does) keeps the order.
    """
    states = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state")
    if not states:
        if states is not None:
            del notebook.metadata["widgets"]
        return notebook
    tail = hashlib.sha256(name.encode()).hexdigest()[:24]
    names = {old: f"{number:08x}{tail}" for number, old in enumerate(states)}
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    # a name is 32 random hexadecimal digits: it occurs nowhere by accident
    pattern = re.compile("|".join(map(re.escape, names)))
    text = pattern.sub(lambda match: names[match.group()], json.dumps(notebook))
    return nbformat.from_dict(json.loads(text))


def dumps(notebook: Any) -> str:
    """Text of a notebook file, the same on every machine."""
    nbformat = require("nbformat", purpose="to write notebooks", extra="test")
    return str(nbformat.writes(notebook, version=4)).rstrip("\n") + "\n"


# ---------------------------------------------------------------------------------------- checks


def findings(path: Path) -> list[str]:
    """List what is wrong with a saved notebook; an empty list means that it may be published.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of str
        One sentence each, beginning with the place.
    """
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except (ValueError, nbformat.ValidationError) as reason:
        return [f"the file is no valid notebook: {str(reason).splitlines()[0]}"]
    found = [*_execution(notebook), *_metadata(notebook), *_machine_traces(notebook)]
    found += _exemptions(notebook)
    found += _links(notebook, path)
    found += _typed_numbers(notebook)
    if path.stat().st_size > MAX_BYTES:
        found.append(f"the file has {path.stat().st_size} bytes; GitHub shows up to {MAX_BYTES}")
    if is_topic(path):
        found += [*_order(notebook), *_sizes(notebook), *_verdict_cells(notebook)]
    if dumps(normalise(notebook, path.name)) != path.read_text(encoding="utf-8"):
        found.append("the file is not normalised: run annlab notebooks")
    return found


def exempt_cells(path: Path) -> list[tuple[int, str]]:
    """Number and reason of each cell that nbval does not compare."""
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    notebook = nbformat.read(path, as_version=4)
    return [
        (number, _reason(cell))
        for number, cell in enumerate(notebook.cells, 1)
        if EXEMPT_TAGS & _tags(cell)
    ]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "".join(value)


def _tags(cell: Any) -> set[str]:
    return set(cell.metadata.get("tags", ()))


def _reason(cell: Any) -> str:
    return str(cell.metadata.get("annlab", {}).get("reason", ""))


def _code(notebook: Any) -> list[tuple[int, Any]]:
    return [(n, cell) for n, cell in enumerate(notebook.cells, 1) if cell.cell_type == "code"]


def _prose(notebook: Any) -> list[tuple[int, str]]:
    return [
        (n, _text(cell.source))
        for n, cell in enumerate(notebook.cells, 1)
        if cell.cell_type == "markdown"
    ]


def _execution(notebook: Any) -> Iterator[str]:
    expected = 0
    for number, cell in _code(notebook):
        if not _text(cell.source).strip():
            yield f"cell {number} is empty"
            continue
        if _text(cell.source).rstrip().endswith(";"):
            # nbval runs cells outside the history, where IPython looks for the semicolon
            yield f"cell {number} ends with a semicolon, which nbval ignores: use plt.show()"
        if "skip-execution" in _tags(cell):
            continue
        expected += 1
        if cell.execution_count is None:
            # nbval runs such a cell and compares nothing, so strict would silently be lax
            yield f"cell {number} was not executed"
        elif cell.execution_count != expected:
            yield (
                f"cell {number} was executed as number {cell.execution_count}, not {expected}: "
                "run the notebook from the top"
            )
        for output in cell.outputs:
            if output.output_type == "error" and not ERROR_TAGS & _tags(cell):
                yield f"cell {number} shows an error: {output.ename}: {output.evalue}"
            if output.output_type == "stream" and output.name == "stderr":
                yield f"cell {number} wrote to stderr: {_text(output.text).strip()[:120]}"


def _metadata(notebook: Any) -> Iterator[str]:
    if dict(notebook.metadata.get("kernelspec", {})) != KERNELSPEC:
        # JupyterLab asks for a kernel, in a dialog that covers the page
        yield f"metadata.kernelspec must be {KERNELSPEC}"
    shown = any(
        WIDGET_VIEW in output.get("data", {})
        for _, cell in _code(notebook)
        for output in cell.outputs
    )
    widgets = notebook.metadata.get("widgets")
    if widgets is None:
        if shown:
            yield "a widget is shown, but no widget state is stored"
        return
    for kind, content in widgets.items():
        if "state" not in content:
            yield f"metadata.widgets[{kind!r}] has no 'state': GitHub refuses the whole notebook"
    known = widgets.get(WIDGET_STATE, {}).get("state", {})
    for number, cell in _code(notebook):
        for output in cell.outputs:
            view = output.get("data", {}).get(WIDGET_VIEW)
            if view and view["model_id"] not in known:
                yield f"cell {number} shows a widget whose state is not stored"


def _state_texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, below in value.items():
            if key != "buffers":
                yield from _state_texts(below)
    elif isinstance(value, list):
        for below in value:
            yield from _state_texts(below)


def machine_traces(text: str) -> list[str]:
    """Find what belongs to one machine or one run: paths, hosts, memory addresses.

    Examples
    --------
    >>> from annlab._notebooks import machine_traces
    >>> machine_traces("read /home/ada/data.csv, <object at 0x7f3a2b1c9d50>; doi.org/10.1/x")
    ['/home/ada', '0x7f3a2b1c9d50']
    """
    found = [match.group() for match in _PATH.finditer(text)]
    found += [match.group() for match in _MEMORY.finditer(text)]
    found += [match.group() for match in _NUMERIC_HOST.finditer(text)]
    found += [match.group() for match in _HOST.finditer(text) if match.group(1) not in KNOWN_HOSTS]
    return found


def _machine_traces(notebook: Any) -> Iterator[str]:
    for number, cell in _code(notebook):
        for output in cell.outputs:
            for holder, key in _text_places(output):
                for trace in machine_traces(_text(holder[key])):
                    yield f"cell {number} shows an address or a path of a machine: {trace}"
    states = notebook.metadata.get("widgets", {}).get(WIDGET_STATE, {}).get("state", {})
    for text in _state_texts(states):
        for trace in machine_traces(text):
            yield f"a widget's state holds an address or a path of a machine: {trace}"


def _exemptions(notebook: Any) -> Iterator[str]:
    for number, cell in enumerate(notebook.cells, 1):
        tags = _tags(cell)
        reason = _reason(cell)
        if "nbval-skip" in tags and "skip-execution" not in tags:
            yield f"cell {number} has the tag nbval-skip without its twin skip-execution"
        if EXEMPT_TAGS & tags and not reason.startswith(tuple(f"{word}: " for word in REASONS)):
            yield (
                f"cell {number} is exempt from comparison: metadata.annlab.reason must begin "
                f"with one of {', '.join(REASONS)} and a colon, and say why; got {reason!r}"
            )
        if ERROR_TAGS & tags and not reason:
            yield f"cell {number} is expected to fail: metadata.annlab.reason must say what for"


def _links(notebook: Any, path: Path) -> Iterator[str]:
    for number, text in _prose(notebook):
        for match in _LINK.finditer(text):
            target = unquote(match.group(1) or match.group(2))
            if re.match(r"[a-z]+:|#|attachment:", target):
                continue
            file = target.split("#")[0]
            if not (path.parent / file).exists():
                yield f"cell {number} links to {target}, which does not exist"


def _typed_numbers(notebook: Any) -> Iterator[str]:
    printed: set[str] = set()
    for _, cell in _code(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            text = _text(output.get("text", "")) + _text(data.get("text/plain", ""))
            printed.update(_DECIMAL.findall(text))
    for number, text in _prose(notebook):
        words = re.sub(
            r"```.*?```|`[^`]*`|\$[^$]*\$|https?:\S+|10\.\d{4,}/\S+", " ", text, flags=re.S
        )
        for typed in sorted(set(_DECIMAL.findall(words)) & printed):
            yield f"cell {number} has the number {typed} in its prose, which a cell prints"


def headings(notebook: Any) -> list[str]:
    """Headings of the second level, in order."""
    return [
        match.group(1).strip()
        for _, text in _prose(notebook)
        for match in re.finditer(r"^## (.+)$", text, flags=re.M)
    ]


def _order(notebook: Any) -> Iterator[str]:
    first = notebook.cells[0] if notebook.cells else None
    if first is None or first.cell_type != "markdown" or not _text(first.source).startswith("# "):
        yield "the first cell must be the title and the question (a heading of the first level)"
    titles = headings(notebook)
    position = 0
    for name, pattern in SECTIONS:
        places = [n for n, title in enumerate(titles) if re.search(pattern, title, flags=re.I)]
        later = [place for place in places if place >= position]
        if not places:
            yield f"the section {name!r} is missing (no heading with /{pattern}/)"
        elif not later:
            yield f"the section {name!r} ({titles[places[0]]!r}) stands too early"
        else:
            position = later[0] + 1


def verdicts(notebook: Any) -> list[tuple[int, str]]:
    """Number of the slide and row ``| claim | measurement | verdict |`` of each verdict shown."""
    shown = [
        _text(output.get("data", {}).get("text/markdown", ""))
        for _, cell in _code(notebook)
        for output in cell.outputs
    ]
    return [(int(m[1]), m[2]) for text in shown for m in _VERDICT.finditer(text)]


def _verdict_cells(notebook: Any) -> Iterator[str]:
    if not verdicts(notebook):
        yield "no cell shows a verdict (widgets.verdict)"
    for number, cell in _code(notebook):
        source = _text(cell.source)
        if "verdict(" not in source:
            continue
        for call in ast.walk(ast.parse(source)):
            if not (isinstance(call, ast.Call) and ast.unparse(call.func).endswith("verdict")):
                continue
            given = {word.arg: word.value for word in call.keywords}
            given |= dict(zip(("slide", "says", "measured", "holds"), call.args, strict=False))
            for name in ("measured", "holds"):
                # a sentence or an outcome that was typed is an opinion
                if not any(isinstance(part, ast.Name) for part in ast.walk(given[name])):
                    yield f"cell {number} states a verdict whose {name!r} is not computed"


def verdict_table(folder: Path) -> str:
    """Text of ``notebooks/README.md``: what the deck says, what we measured, the verdict.

    Parameters
    ----------
    folder : Path
        Folder of the notebooks, whose stored outputs are read.

    Returns
    -------
    str
    """
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    rows = []
    for path in sorted(filter(Path.is_file, folder.glob("*.ipynb"))):
        notebook = nbformat.read(path, as_version=4)
        rows += [
            f"| {slide} | [{path.stem[:2]}]({path.name}) {row}" for slide, row in verdicts(notebook)
        ]
    outcomes = [re.sub(r"\W", " ", row.rsplit("|", 2)[1]).strip() for row in rows]
    counts = ", ".join(f"{outcomes.count(word)} × *{word}*" for word in WORDS.values())
    return "\n".join(
        [
            "# What the deck says, what we measured, verdict",
            "",
            "The course grew out of a deck of fifteen slides. Each notebook takes the claims of "
            "its slide,",
            "runs the slide's own code where there is some, and computes a verdict. This table is "
            "collected",
            "from the outputs of those cells by `annlab notebooks`; to change a row, change the "
            "notebook.",
            "",
            f"Of {len(rows)} claims: {counts}.",
            "",
            "| slide | notebook | the deck says | we measured | verdict |",
            "|---|---|---|---|---|",
            *rows,
            "",
            "Begin with [00_start_here](00_start_here.ipynb).",
            "",
        ]
    )


def _lines(source: str) -> int:
    return sum(bool(line.strip()) for line in source.splitlines())


def _sizes(notebook: Any) -> Iterator[str]:
    from annlab._badges import INSTALL_TAG, without_badges

    # neither the cell for Colab nor the buttons are the author's: annlab._badges makes them
    code = [
        (number, _text(cell.source))
        for number, cell in _code(notebook)
        if INSTALL_TAG not in _tags(cell)
    ]
    if not code:
        yield "there is no code"
        return
    if _lines(code[0][1]) > SETUP_LINES:
        yield f"the set-up cell has {_lines(code[0][1])} lines, not at most {SETUP_LINES}"
    for number, source in code[1:]:
        if "your-data" not in _tags(notebook.cells[number - 1]) and _imports(source):
            yield f"cell {number} imports: the set-up cell is the only place for that"
    if not CODE_CELLS[0] <= len(code) <= CODE_CELLS[1]:
        yield f"there are {len(code)} code cells, not {CODE_CELLS[0]} to {CODE_CELLS[1]}"
    median = statistics.median(_lines(source) for _, source in code)
    if median > MEDIAN_LINES:
        yield f"the median code cell has {median:g} lines, not at most {MEDIAN_LINES}"
    words = sum(
        len(re.findall(r"[^\W\d_]+(?:['’-][^\W\d_]+)*", without_badges(text)))
        for _, text in _prose(notebook)
    )
    if not PROSE_WORDS[0] <= words <= PROSE_WORDS[1]:
        yield f"there are {words} words of prose, not {PROSE_WORDS[0]} to {PROSE_WORDS[1]}"


def _imports(source: str) -> bool:
    code = "\n".join(
        "" if line.lstrip().startswith(("%", "!")) else line for line in source.split("\n")
    )
    try:
        tree = ast.parse(code)
    except SyntaxError:
        # a cell may show code that does not parse; then it is in a string or expected to fail
        return False
    return any(isinstance(node, (ast.Import, ast.ImportFrom)) for node in ast.walk(tree))


# --------------------------------------------------------------------------------------- command


def checkout_folder() -> Path:
    """Folder ``notebooks/`` of the checkout that this package runs from.

    Raises
    ------
    ValueError
        If annlab runs from an installed wheel, whose notebooks are not to be changed.
    """
    folder = Path(__file__).resolve().parent.parent / "notebooks"
    if not folder.is_dir() or not (folder.parent / "pyproject.toml").is_file():
        raise invalid(
            "--dir",
            "given where annlab is not run from a checkout of its repository",
            None,
            "Name the folder of the notebooks.",
        )
    return folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of ``annlab notebooks``."""
    parser.description = (
        "Execute the notebooks of the checkout from the top, store their outputs and widget\n"
        "states, remove what differs between machines and runs, and list what is wrong with\n"
        "them. The exit status is 1 if anything is."
    )
    parser.epilog = (
        "examples:\n"
        "  annlab notebooks                     all of them\n"
        "  annlab notebooks 03                  those whose name begins with 03\n"
        "  annlab notebooks --check             change nothing, only list what is wrong\n"
        "  annlab notebooks --no-execute 03     normalise what is stored"
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="beginning of a file name")
    parser.add_argument("--dir", type=Path, metavar="FOLDER", help="folder of the notebooks")
    parser.add_argument("--check", action="store_true", help="write nothing, only check")
    parser.add_argument(
        "--no-execute", action="store_true", help="normalise the stored outputs as they are"
    )
    parser.add_argument(
        "--badges",
        action="store_true",
        help="rewrite every button from the address in pyproject.toml, and stop",
    )
    parser.add_argument(
        "--timeout", type=int, default=600, metavar="S", help="seconds for one cell (default 600)"
    )


def run(options: argparse.Namespace) -> int:
    """Execute, normalise and check the chosen notebooks."""
    nbformat = require("nbformat", purpose="to read notebooks", extra="test")
    failures = require("nbclient.exceptions", purpose="to execute notebooks", extra="test")
    if options.badges:
        from annlab import _badges

        return _badges.main(["--check"] if options.check else [])
    folder = options.dir or checkout_folder()
    paths = sorted(
        path
        for path in folder.glob("*.ipynb")
        if not options.names or path.name.startswith(tuple(options.names))
    )
    if not paths:
        raise invalid("NAME", f"the beginning of a notebook's name in {folder}", options.names)
    wrong = 0
    for path in paths:
        problems: list[str] = []
        if not options.check:
            notebook = nbformat.read(path, as_version=4)
            try:
                if not options.no_execute:
                    notebook = execute(notebook, folder, timeout=options.timeout)
                path.write_text(
                    dumps(normalise(notebook, path.name)), encoding="utf-8", newline="\n"
                )
            except (failures.CellControlSignal, failures.DeadKernelError) as reason:
                # an error in a cell, a cell that took too long, a kernel that died
                problems = [f"it was not executed and is unchanged: {reason}"]
        problems = problems or findings(path)
        print(f"{path.name}: {'in order' if not problems else ''}", flush=True)
        for problem in problems:
            print(f"  - {problem}", flush=True)
        wrong += bool(problems)
    table = folder / VERDICTS_FILE
    text = verdict_table(folder)
    if not options.check:
        table.write_text(text, encoding="utf-8", newline="\n")
    elif not table.is_file() or table.read_text(encoding="utf-8") != text:
        print(f"{table.name}: the verdicts are not those of the notebooks: run annlab notebooks")
        wrong += 1
    return 1 if wrong else 0
