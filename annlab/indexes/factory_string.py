"""Read an ``index_factory`` string: its parts, their effects, bytes per row."""

from __future__ import annotations

import re
from dataclasses import dataclass

from annlab._support.checks import check_integer, did_you_mean
from annlab._support.errors import invalid

__all__ = ["FactoryError", "FactoryPart", "FactoryString", "explain_factory"]

#: Roles of the parts, in their order.
ROLES = ("transform", "coarse quantizer", "graph", "encoding", "refinement")
#: Bytes of the row number that a list stores beside each code.
_ID_BYTES = 8
#: Upper limits that are sensible on one machine.
_MOST_CELLS, _MOST_LINKS, _MOST_BITS = 1 << 20, 512, 12
_SCALARS = {"4": 4, "6": 6, "8": 8, "fp16": 16, "bf16": 16}
_BEGINNINGS = (
    *("Flat", "IVF", "HNSW", "PQ", "SQ", "LSH", "PCA", "PCAR", "OPQ", "RR", "L2norm"),
    *("RFlat", "Refine"),
)


class FactoryError(ValueError):
    """A string that cannot be read.

    Attributes
    ----------
    parts : tuple of FactoryPart
        Parts before the fault.
    wrong : str
        The part with the fault.
    """

    parts: tuple[FactoryPart, ...] = ()
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class FactoryPart:
    """One part of a factory string.

    Attributes
    ----------
    text : str
        As written.
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
    """The meaning of a factory string.

    Attributes
    ----------
    text : str
    d : int
        Numbers in a row.
    parts : tuple of FactoryPart
    code_bytes : int
        Bytes of a row's code, the copy for a refinement included.
    id_bytes : int
        8 if rows are stored in lists with their number, else 0.
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
        """Bytes of code, number and links, without what all rows share."""
        return self.code_bytes + self.id_bytes + self.link_bytes

    @property
    def sentence(self) -> str:
        """Describe the whole string in one sentence."""
        text = "; then ".join(part.meaning for part in self.parts)
        return f"{text[0].upper()}{text[1:]}."

    def __repr__(self) -> str:
        return f"{self.text}: {self.sentence}"


class _Reader:
    """A parser that reads the parts from left to right, one method per kind."""

    def __init__(self, text: str, d: int) -> None:
        self.text, self.d, self.width = text, d, d
        self.parts: list[FactoryPart] = []
        self.code_bytes, self.id_bytes, self.link_bytes, self.n_cells = 0, 0, 0.0, 0

    def add(self, text: str, role: str, meaning: str) -> bool:
        self.parts.append(FactoryPart(text, role, meaning))
        return True

    def has(self, role: str) -> bool:
        return any(part.role == role for part in self.parts)

    def fail(self, part: str, rule: str, remedy: str) -> FactoryError:
        shown = repr(part) if part == self.text else f"{part!r} in {self.text!r}"
        error = invalid("factory", rule, shown, remedy, error=FactoryError)
        assert isinstance(error, FactoryError)
        error.parts, error.wrong = tuple(self.parts), part
        return error

    def transform(self, part: str) -> bool:
        if part == "L2norm":
            return self.add(part, "transform", "scale the row to length 1")
        match = re.fullmatch(r"(PCAR|PCA|RR)(\d+)|OPQ(\d+)(?:_(\d+))?", part)
        if match is None:
            return False
        before, width = self.width, int(match[2] or match[4] or self.width)
        if not 1 <= width <= before:
            rule = f"a transform that keeps from 1 to {before} numbers"
            raise self.fail(part, rule, f"A row has {before} numbers here.")
        self.width = width
        if match[3]:
            self.check_slices(part, int(match[3]))
            into = f" into {width}" if width != before else ""
            return self.add(
                part,
                "transform",
                f"turn the {before} numbers{into} so that {match[3]} slices of them are easy to "
                "code",
            )
        how = {
            "PCA": "keep their {} main directions",
            "PCAR": "keep their {} main directions, turned so that all matter alike",
            "RR": "turn them at random into {}",
        }[match[1]]
        return self.add(part, "transform", f"of the {before} numbers, {how.format(width)}")

    def coarse(self, part: str) -> bool:
        match = re.fullmatch(r"IVF(\d+)(?:_HNSW(\d+))?", part)
        if match is None:
            return False
        self.n_cells, self.id_bytes = int(match[1]), _ID_BYTES
        found = ""
        if match[2]:
            self.check_links(part, int(match[2]))
            found = ", which a graph over their heads finds"
        if not 1 <= self.n_cells <= _MOST_CELLS:
            raise self.fail(part, f"made of 1 to {_MOST_CELLS:,} cells", "For example 'IVF64'.")
        cells = f"{self.n_cells:,} cell{'s' * (self.n_cells > 1)}"
        meaning = f"let k-means make {cells} and search the nearest nprobe of them{found}"
        return self.add(part, "coarse quantizer", meaning)

    def graph(self, part: str) -> bool:
        match = re.fullmatch(r"HNSW(\d*)", part)
        if match is None:
            return False
        links = int(match[1] or 32)
        self.check_links(part, links)
        # in layer 0 2·M links of 4 bytes, the node's level and offset, and on average M/(M-1)
        # links in the upper layers
        self.link_bytes = 8.0 * links + 12.0 + 4.0 * links / (links - 1.0)
        meaning = f"link each row with up to {2 * links} near ones (HNSW) and walk from row to row"
        return self.add(part, "graph", meaning)

    def encoding(self, part: str) -> bool:
        read = self.code(part)
        if read is None:
            return False
        self.code_bytes = read[0]
        return self.add(part, "encoding", read[1])

    def code(self, part: str) -> tuple[int, str] | None:
        """Return bytes and meaning of a code."""
        width = self.width
        if part == "Flat":
            return 4 * width, f"keep all {width} numbers as they are ({4 * width} bytes)"
        match = re.fullmatch(r"SQ(4|6|8|fp16|bf16)", part)
        if match:
            bits = _SCALARS[match[1]]
            size = -(-bits * width // 8)
            return size, f"round each of the {width} numbers to {bits} bits ({_bytes(size)})"
        if re.fullmatch(r"LSHr?t?", part) and not (self.n_cells or self.has("graph")):
            against = "its median" if part.endswith("t") else "zero"
            turned = " after a random turn" if "r" in part else ""
            size = -(-width // 8)
            return size, (
                f"keep of each of the {width} numbers{turned} whether it is above {against} "
                f"({_bytes(size)})"
            )
        match = re.fullmatch(r"PQ(\d+)(?:x(\d+))?(fs|np)?", part)
        if match is None:
            return None
        slices, bits = int(match[1]), int(match[2] or 8)
        self.check_slices(part, slices)
        if not 1 <= bits <= _MOST_BITS or (match[3] == "fs" and bits != 4):
            rule = f"made of 1 to {_MOST_BITS} bits a slice"
            rule = "made of 4 bits where it ends with fs" if match[3] == "fs" else rule
            remedy = f"For example 'PQ{slices}x4' or 'PQ{slices}', which has 8."
            raise self.fail(part, rule, remedy)
        size = -(-slices * bits // 8)
        return size, (
            f"cut the {width} numbers into {slices} slices, each kept as the nearest of "
            f"{2**bits:,} codewords ({_bytes(size)})"
        )

    def refinement(self, part: str) -> bool:
        match = re.fullmatch(r"RFlat|Refine\((.+)\)", part)
        if match is None:
            return False
        before, self.width = self.width, self.d
        read = self.code(match[1] or "Flat")
        self.width = before
        if read is None:
            rule = "RFlat, or Refine(...) with a code inside"
            raise self.fail(part, rule, "Use 'RFlat' or 'Refine(SQ8)'.")
        self.code_bytes += read[0]
        kind = f"{match[1]} copies" if match[1] not in (None, "Flat") else "exact copies"
        meaning = f"compare the best ones again, with {kind} ({read[0]} bytes more)"
        return self.add(part, "refinement", meaning)

    def check_slices(self, part: str, slices: int) -> None:
        if slices < 1 or self.width % slices:
            fitting = [f"{m}" for m in range(1, self.width + 1) if self.width % m == 0]
            raise self.fail(
                part,
                f"made of slices that divide {self.width}",
                f"A row of {self.width} numbers can be cut into {', '.join(fitting[:10])} slices.",
            )

    def check_links(self, part: str, links: int) -> None:
        if not 2 <= links <= _MOST_LINKS:
            rule = f"an HNSW with 2 to {_MOST_LINKS} links a node"
            raise self.fail(part, rule, "faiss ends the process on fewer. Use 'HNSW16'.")

    def check_rows(self, part: str, n_rows: int) -> None:
        """Raise if a part has more cells or codewords than training rows."""
        rule = f"trainable on {n_rows:,} rows"
        if self.n_cells > n_rows:
            raise self.fail(part, rule, f"Use 'IVF{max(1, round(n_rows**0.5))}' or less.")
        words = re.fullmatch(r"PQ(\d+)(?:x(\d+))?(?:fs|np)?", part)
        if words and 2 ** int(words[2] or 8) > n_rows:
            raise self.fail(part, rule, f"Use fewer bits: 'PQ{words[1]}x4'.")

    def read(self, part: str) -> None:
        """Read one part, or raise an error about it."""
        is_refinement = part == "RFlat" or part.startswith("Refine(")
        if self.has("graph") and not self.has("encoding") and is_refinement:
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
            rule = (
                "made of known parts in the order transform, cells or graph, encoding, refinement"
            )
            raise self.fail(part, rule, self.hint(part))

    def keep_whole_rows(self) -> None:
        """Add the encoding of a graph without one."""
        size, meaning = self.code("Flat") or (0, "")
        self.code_bytes = size
        self.add("(Flat)", "encoding", meaning)

    def hint(self, part: str) -> str:
        """Suggest what to write instead of an unknown part."""
        if not part:
            return "There is nothing between two commas, or nothing at all."
        if " " in part:
            return "Leave out the spaces."
        probe = _Reader(self.text, self.d)
        try:
            readers = (probe.transform, probe.coarse, probe.graph, probe.encoding, probe.refinement)
            known = any(reader(part) for reader in readers)
        except FactoryError:
            known = True
        if known:
            where = f"after {self.parts[-1].text!r}" if self.parts else "first"
            return f"It is known, but it cannot come {where}."
        if re.search(r"(IVF|HNSW|PQ|PCA|OPQ)(?![0-9RW_])|[xy]$", part):
            return "Write a number after it: 'IVF64', 'PQ8'."
        for name in _BEGINNINGS:
            if part.lower().startswith(name.lower()) and not part.startswith(name):
                return f"Capitals count: it begins with {name!r}."
        if part.startswith("SQ"):
            return f"SQ has {', '.join(_SCALARS)} bits: 'SQ8'."
        stem = re.match(r"[A-Za-z]+", part)
        near = did_you_mean(stem[0], list(_BEGINNINGS)) if stem else ""
        return near or "For example 'Flat', 'IVF64,Flat' or 'HNSW32'."


def explain_factory(factory: str, d: int, *, n_rows: int | None = None) -> FactoryString:
    """Explain a factory string: transform, quantizer, encoding, refinement.

    Parameters
    ----------
    factory : str
        As ``faiss.index_factory`` takes it. Known parts: ``PCA16``, ``PCAR16``, ``RR16``,
        ``OPQ8``, ``L2norm``; ``IVF64``, ``IVF64_HNSW16``; ``HNSW32``; ``Flat``, ``SQ8``, ``PQ8``,
        ``PQ8x4``, ``PQ8x4fs``, ``LSH``; ``RFlat``, ``Refine(SQ8)``. faiss knows more.
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
        If ``factory`` is not a string.

    Notes
    -----
    faiss ends the process, or never returns, on some strings (``HNSW1``, ``PQ8x0``, ``NSG1``):
    check strings from others with this function first. Douze et al. 2024, "The Faiss library",
    arXiv 2401.08281.

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
            reader.check_rows(part, n_rows)
    if not reader.has("encoding"):
        if not reader.has("graph"):
            remedy = f"After {reader.parts[-1].text!r} add ',Flat', ',SQ8' or ',PQ8'."
            raise reader.fail(factory, "complete: it must say how rows are kept", remedy)
        reader.keep_whole_rows()
    return FactoryString(
        factory, reader.d, tuple(reader.parts), reader.code_bytes, reader.id_bytes,
        reader.link_bytes, reader.n_cells,
    )  # fmt: skip


def _bytes(size: int) -> str:
    return f"{size} byte{'s' if size != 1 else ''}"
