"""Read an ``index_factory`` string: its parts, what each does, and the bytes that a row takes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from annlab._support.checks import check_integer, did_you_mean
from annlab._support.errors import invalid

__all__ = ["FactoryError", "FactoryPart", "FactoryString", "explain_factory"]

#: What a part is for, in the order in which the parts stand.
ROLES = ("transform", "coarse quantizer", "graph", "encoding", "refinement")
#: Bytes of the row number that a list keeps beside each code.
_ID_BYTES = 8
#: Cells, links and bits beyond which nothing on one machine is sensible.
_MOST_CELLS, _MOST_LINKS, _MOST_BITS = 1 << 20, 512, 12
_SCALARS = {"4": 4, "6": 6, "8": 8, "fp16": 16, "bf16": 16}
_BEGINNINGS = (
    *("Flat", "IVF", "IMI2x", "HNSW", "PQ", "SQ", "LSH"),
    *("PCA", "PCAR", "OPQ", "ITQ", "RR", "L2norm", "RFlat", "Refine"),
)


class FactoryError(ValueError):
    """A string that cannot be read.

    Attributes
    ----------
    parts : tuple of FactoryPart
        What was understood before the fault.
    wrong : str
        The part at which it ended.
    """

    parts: tuple[FactoryPart, ...] = ()
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class FactoryPart:
    """One part of a factory string.

    Attributes
    ----------
    text : str
        As it is written.
    role : str
        "transform", "coarse quantizer", "graph", "encoding" or "refinement".
    meaning : str
        What it does with a row, as a clause.
    """

    text: str
    role: str
    meaning: str


@dataclass(frozen=True, slots=True)
class FactoryString:
    """What a factory string says.

    Attributes
    ----------
    text : str
    d : int
        Numbers in a row as it comes.
    parts : tuple of FactoryPart
    code_bytes : int
        Bytes of a row's code, a refinement's copy included.
    id_bytes : int
        8 where rows stand in lists and need their number, else 0.
    link_bytes : float
        Expected bytes of a row's links in a graph.
    n_cells : int
        0 without cells.
    """

    text: str
    d: int
    parts: tuple[FactoryPart, ...]
    code_bytes: int
    id_bytes: int
    link_bytes: float
    n_cells: int

    @property
    def bytes_per_row(self) -> float:
        """Code, number and links; what all rows share (heads of cells, codewords) apart."""
        return self.code_bytes + self.id_bytes + self.link_bytes

    @property
    def sentence(self) -> str:
        """The whole string as one sentence."""
        clauses = [part.meaning for part in self.parts]
        text = "; then ".join(clauses)
        return f"{text[0].upper()}{text[1:]}."

    def __repr__(self) -> str:
        return f"{self.text}: {self.sentence}"


class _Reader:
    """The state while the parts are read from left to right."""

    def __init__(self, text: str, d: int) -> None:
        self.text, self.d = text, d
        self.width = d
        self.parts: list[FactoryPart] = []
        self.code_bytes, self.id_bytes, self.link_bytes, self.n_cells = 0, 0, 0.0, 0

    def add(self, text: str, role: str, meaning: str) -> None:
        self.parts.append(FactoryPart(text, role, meaning))

    def fail(self, part: str, rule: str, remedy: str) -> FactoryError:
        shown = repr(part) if part == self.text else f"{part!r} in {self.text!r}"
        error = invalid("factory", rule, shown, remedy, error=FactoryError)
        assert isinstance(error, FactoryError)
        error.parts, error.wrong = tuple(self.parts), part
        return error

    def has(self, role: str) -> bool:
        return any(part.role == role for part in self.parts)

    # each reader takes the part if it is of its kind ---------------------------------------------

    def transform(self, part: str) -> bool:
        match = re.fullmatch(r"(PCAR|PCA|RR|ITQ)(\d+)|(ITQ)|(L2norm)|OPQ(\d+)(?:_(\d+))?", part)
        if match is None:
            return False
        kind = match[1] or match[3] or match[4]
        if kind == "L2norm":
            self.add(part, "transform", "scale the row to length 1")
            return True
        if kind is None:
            slices, width = int(match[5]), int(match[6] or self.width)
            self.check_width(part, width)
            if slices < 1 or width % slices:
                raise self.fail(part, f"made of slices that divide {width}", _divisors(width))
            into = f" into {width}" if width != self.width else ""
            meaning = f"turn the {self.width} numbers{into} so that {slices} slices of them are "
            self.width = width
            self.add(part, "transform", f"{meaning}easy to code")
            return True
        width = int(match[2] or self.width)
        self.check_width(part, width)
        how = {
            "PCA": "keep their {} main directions",
            "PCAR": "keep their {} main directions, turned so that all matter alike",
            "RR": "turn them at random into {}",
            "ITQ": "turn them into {} whose signs say most",
        }[kind]
        self.add(part, "transform", f"of the {self.width} numbers, {how.format(width)}")
        self.width = width
        return True

    def check_width(self, part: str, width: int) -> None:
        if not 1 <= width <= self.width:
            raise self.fail(
                part,
                f"a transform that keeps from 1 to {self.width} numbers",
                f"A row has {self.width} numbers here.",
            )

    def coarse(self, part: str) -> bool:
        cells = re.fullmatch(r"IVF(\d+)(?:_HNSW(\d+))?", part)
        product = re.fullmatch(r"IMI2x(\d+)", part)
        if cells:
            self.n_cells = int(cells[1])
            how = "let k-means make"
            found = ""
            if cells[2]:
                self.check_links(part, int(cells[2]))
                found = ", which a graph over their heads finds"
        elif product:
            bits = int(product[1])
            if not 1 <= bits <= 8 or self.width % 2:
                raise self.fail(part, "IMI2x1 to IMI2x8 for an even width", "Use 'IVF64'.")
            self.n_cells = 4**bits
            how, found = "let k-means in each half of the row make", ""
        else:
            return False
        if not 1 <= self.n_cells <= _MOST_CELLS:
            raise self.fail(part, f"made of 1 to {_MOST_CELLS:,} cells", "For example 'IVF64'.")
        self.id_bytes = _ID_BYTES
        plural = "s" if self.n_cells > 1 else ""
        self.add(
            part,
            "coarse quantizer",
            f"{how} {self.n_cells:,} cell{plural} and search the nearest nprobe of them{found}",
        )
        return True

    def graph(self, part: str) -> bool:
        match = re.fullmatch(r"HNSW(\d*)", part)
        if match is None:
            return False
        links = int(match[1] or 32)
        self.check_links(part, links)
        # at the bottom 2·M links of 4 bytes, the node's layer and place, and, on average over the
        # nodes, M/(M-1) upper links each
        self.link_bytes = 8.0 * links + 12.0 + 4.0 * links / (links - 1.0)
        self.add(
            part,
            "graph",
            f"link each row with up to {2 * links} near ones (HNSW) and walk from row to row",
        )
        return True

    def check_links(self, part: str, links: int) -> None:
        if not 2 <= links <= _MOST_LINKS:
            raise self.fail(
                part,
                f"an HNSW with 2 to {_MOST_LINKS} links a node",
                "faiss ends the whole process on fewer. Use 'HNSW16'.",
            )

    def encoding(self, part: str) -> bool:
        read = self.code(part)
        if read is None:
            return False
        self.code_bytes, meaning = read
        self.add(part, "encoding", meaning)
        return True

    def code(self, part: str) -> tuple[int, str] | None:
        """Bytes and meaning of a code."""
        width = self.width
        if part == "Flat":
            size = 4 * width
            return size, f"keep all {width} numbers as they are ({size} bytes)"
        match = re.fullmatch(r"SQ(4|6|8|fp16|bf16)", part)
        if match:
            bits = _SCALARS[match[1]]
            size = -(-bits * width // 8)
            return size, f"round each of the {width} numbers to {bits} bits ({_bytes(size)})"
        match = re.fullmatch(r"PQ(\d+)(?:x(\d+))?(fs|np)?", part)
        if match:
            slices, bits = int(match[1]), int(match[2] or 8)
            if slices < 1 or width % slices:
                raise self.fail(part, f"made of slices that divide {width}", _divisors(width))
            if not 1 <= bits <= _MOST_BITS or (match[3] == "fs" and bits != 4):
                raise self.fail(
                    part,
                    "made of 4 bits where it ends with fs"
                    if match[3] == "fs"
                    else f"made of 1 to {_MOST_BITS} bits a slice",
                    f"For example 'PQ{slices}x4' or 'PQ{slices}', which has 8.",
                )
            size = -(-slices * bits // 8)
            return size, (
                f"cut the {width} numbers into {slices} slices, each kept as the nearest of "
                f"{2**bits:,} codewords ({_bytes(size)})"
            )
        match = re.fullmatch(r"LSH(r?)(t?)", part)
        if match:
            if self.n_cells or self.has("graph"):
                raise self.fail(part, "a code that cells can hold", "Use 'LSH' without cells.")
            size = -(-width // 8)
            turned = " after a random turn" if match[1] else ""
            against = "its median" if match[2] else "zero"
            return size, (
                f"keep of each of the {width} numbers{turned} whether it is above {against} "
                f"({_bytes(size)})"
            )
        return None

    @staticmethod
    def is_refinement(part: str) -> bool:
        return re.fullmatch(r"RFlat|Refine\(.+\)", part) is not None

    def refinement(self, part: str) -> bool:
        if not self.is_refinement(part):
            return False
        inner = re.fullmatch(r"Refine\((.+)\)", part)
        before, self.width = self.width, self.d
        read = self.code("Flat" if inner is None else inner[1])
        self.width = before
        if read is None or (inner is not None and inner[1].startswith("LSH")):
            raise self.fail(
                part, "RFlat, or Refine(...) with a code inside", "Use 'RFlat' or 'Refine(SQ8)'."
            )
        self.code_bytes += read[0]
        kind = "exact copies" if inner is None or inner[1] == "Flat" else f"{inner[1]} copies"
        self.add(
            part,
            "refinement",
            f"compare the best ones again, with {kind} ({read[0]} bytes more)",
        )
        return True

    def read(self, part: str) -> None:
        """Take one part, or say what is wrong with it."""
        if self.has("graph") and not self.has("encoding") and self.is_refinement(part):
            self.keep_whole_rows()
        if self.has("refinement"):
            readers = []
        elif self.has("encoding"):
            readers = [self.refinement]
        elif self.n_cells or self.has("graph"):
            readers = [self.encoding]
        else:
            readers = [self.transform, self.coarse, self.graph, self.encoding]
        if not any(reader(part) for reader in readers):
            raise self.unknown(part)

    def keep_whole_rows(self) -> None:
        """Supply what a graph without an encoding means."""
        self.encoding("Flat")
        self.parts[-1] = replace(self.parts[-1], text="(Flat)")

    def unknown(self, part: str) -> FactoryError:
        rule = "made of known parts in the order transform, cells or graph, encoding, refinement"
        if not part:
            return self.fail(part, rule, "There is nothing between two commas, or nothing at all.")
        if part != part.strip() or " " in part:
            return self.fail(part, rule, "Leave out the spaces.")
        probe = _Reader(self.text, self.d)
        kinds = (
            probe.transform,
            probe.coarse,
            probe.graph,
            probe.encoding,
            probe.refinement,
        )
        try:
            known = any(kind(part) for kind in kinds)
        except FactoryError:
            known = True
        if known:
            last = self.parts[-1].text if self.parts else ""
            where = f"after {last!r}" if last else "at the beginning"
            return self.fail(part, rule, f"It is known, but it cannot stand {where}.")
        if re.search(r"(IVF|IMI2x|HNSW|PQ|PCA|OPQ)(?![0-9RW_])|[xy]$", part):
            return self.fail(part, rule, "Write a number where it says how many: 'IVF64', 'PQ8'.")
        for name in _BEGINNINGS:
            if part.lower().startswith(name.lower()) and not part.startswith(name):
                return self.fail(part, rule, f"Capitals count: it begins with {name!r}.")
        stem = re.match(r"[A-Za-z]+", part)
        if part.startswith("SQ"):
            return self.fail(part, rule, f"SQ has {', '.join(_SCALARS)} bits: 'SQ8'.")
        near = did_you_mean(stem[0], list(_BEGINNINGS)) if stem else ""
        return self.fail(part, rule, near or "For example 'Flat', 'IVF64,Flat' or 'HNSW32'.")


def explain_factory(factory: Any, d: int, *, n_rows: int | None = None) -> FactoryString:
    """Read a factory string: transform, coarse quantizer or graph, encoding, refinement.

    Parameters
    ----------
    factory : str
        As ``faiss.index_factory`` takes it. Known parts: ``PCA16``, ``PCAR16``, ``RR16``,
        ``OPQ8``, ``ITQ32``, ``L2norm``; ``IVF64``, ``IVF64_HNSW16``, ``IMI2x4``; ``HNSW32``;
        ``Flat``, ``SQ8``, ``PQ8``, ``PQ8x4``, ``PQ8x4fs``, ``LSH``, ``LSHrt``; ``RFlat``,
        ``Refine(SQ8)``. faiss knows more; what passes here is safe to hand to it.
    d : int
        Numbers in a row.
    n_rows : int, optional
        Rows to train on: more cells or codewords than rows are refused.

    Returns
    -------
    FactoryString
        Its ``parts`` with their meanings, one ``sentence``, and bytes.

    Raises
    ------
    FactoryError
        A ValueError that names the part and what to write instead.
    TypeError
        If ``factory`` is no text.

    Notes
    -----
    faiss itself ends the process, or never comes back, on some strings (``HNSW1``, ``PQ8x0``,
    ``NSG1``): read a string from somebody else here first. O(1). Douze et al. 2024, "The Faiss
    library", arXiv 2401.08281.

    Examples
    --------
    >>> from annlab.indexes.factory_string import explain_factory
    >>> read = explain_factory("IVF64,SQ8", 48)
    >>> [(part.text, part.role) for part in read.parts]
    [('IVF64', 'coarse quantizer'), ('SQ8', 'encoding')]
    >>> read.code_bytes, read.bytes_per_row
    (48, 56.0)
    >>> explain_factory("SQ8", 48).sentence
    'Round each of the 48 numbers to 8 bits (48 bytes).'
    """
    if not isinstance(factory, str):
        raise invalid("factory", "an index_factory string", repr(factory), error=TypeError)
    reader = _Reader(factory, check_integer(d, "d"))
    for part in factory.split(","):
        reader.read(part)
        if n_rows is not None:
            _check_rows(reader, part, n_rows)
    if not reader.has("encoding"):
        if not reader.has("graph"):
            last = reader.parts[-1].text
            raise reader.fail(
                factory,
                "complete: it must say how rows are kept",
                f"After {last!r} add ',Flat', ',SQ8' or ',PQ8'.",
            )
        reader.keep_whole_rows()
    return FactoryString(
        factory,
        reader.d,
        tuple(reader.parts),
        reader.code_bytes,
        reader.id_bytes,
        reader.link_bytes,
        reader.n_cells,
    )


def _check_rows(reader: _Reader, part: str, n_rows: int) -> None:
    if reader.n_cells > n_rows:
        raise reader.fail(
            part, f"trainable on {n_rows:,} rows", f"Use 'IVF{max(1, round(n_rows**0.5))}' or less."
        )
    words = re.fullmatch(r"PQ(\d+)(?:x(\d+))?(?:fs|np)?", part)
    if words and 2 ** int(words[2] or 8) > n_rows:
        raise reader.fail(
            part, f"trainable on {n_rows:,} rows", f"Use fewer bits: 'PQ{words[1]}x4'."
        )


def _divisors(width: int) -> str:
    fitting = [f"{m}" for m in range(1, width + 1) if width % m == 0]
    return f"A row of {width} numbers can be cut into {', '.join(fitting[:10])} slices."


def _bytes(size: int) -> str:
    return f"{size} byte{'s' if size != 1 else ''}"
