"""``verdict``: a claim of the deck, what was measured, and whether it holds."""

from __future__ import annotations

from dataclasses import dataclass

from annlab._support.errors import invalid

#: verdict -> how it reads
WORDS = {True: "holds", False: "does not hold", "partly": "holds in part"}


@dataclass(frozen=True, slots=True, repr=False)
class Verdict:
    """A claim of a slide beside its measurement."""

    slide: int
    says: str
    measured: str
    holds: bool | str

    @property
    def word(self) -> str:
        """The verdict in words."""
        return WORDS[self.holds]

    def __repr__(self) -> str:
        return f"Slide {self.slide} {self.word}. It says: {self.says} Measured: {self.measured}"

    def _repr_markdown_(self) -> str:
        cells = (self.says, self.measured, f"**{self.word}**")
        row = " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells)
        return f"| slide {self.slide} says | we measured | verdict |\n|---|---|---|\n| {row} |"


def verdict(slide: int, says: str, measured: str, holds: bool | str) -> Verdict:
    """Compare a claim of the deck with a measurement.

    Parameters
    ----------
    slide : int
        Number of the slide.
    says : str
        The claim, in one sentence.
    measured : str
        What was measured, in one sentence built from the numbers.
    holds : bool or "partly"
        The outcome of a comparison.

    Returns
    -------
    Verdict
        Shown as a row of a table. ``notebooks/README.md`` collects the rows of all notebooks.

    Raises
    ------
    ValueError
        If an argument is invalid.

    Examples
    --------
    >>> from annlab import widgets
    >>> widgets.verdict(7, "Accuracy is measured.", "The query was its own neighbour.", 1 > 2)
    Slide 7 does not hold. It says: Accuracy is measured. Measured: The query was its own neighbour.
    """
    # comparisons of arrays give numpy's bool
    holds = bool(holds) if not isinstance(holds, str) else holds
    if holds not in WORDS:
        raise invalid("holds", "True, False or 'partly'", repr(holds))
    if not isinstance(slide, int) or not 1 <= slide <= 15:
        raise invalid("slide", "an integer from 1 to 15", repr(slide))
    for name, text in (("says", says), ("measured", measured)):
        if not isinstance(text, str) or not text.strip().endswith((".", "!")):
            raise invalid(name, "a sentence that ends with a full stop", repr(text))
    return Verdict(slide, says.strip(), measured.strip(), holds)
