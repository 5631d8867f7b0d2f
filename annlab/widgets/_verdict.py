"""What the deck says, what was measured, and the verdict: one form for all notebooks."""

from __future__ import annotations

from dataclasses import dataclass

from annlab._support.errors import invalid

#: verdict -> how it reads
WORDS = {True: "holds", False: "does not hold", "partly": "holds in part"}


@dataclass(frozen=True, slots=True, repr=False)
class Verdict:
    """A claim beside its measurement.

    Attributes
    ----------
    slide : int
        Number of the slide in the deck.
    says : str
        The claim.
    measured : str
        What came out, with its numbers.
    holds : bool or "partly"
        Computed by the notebook, never typed.
    """

    slide: int
    says: str
    measured: str
    holds: bool | str

    @property
    def word(self) -> str:
        """The verdict as it reads."""
        return WORDS[self.holds]

    def __repr__(self) -> str:
        return f"Slide {self.slide} {self.word}. It says: {self.says} Measured: {self.measured}"

    def _repr_markdown_(self) -> str:
        cells = (self.says, self.measured, f"**{self.word}**")
        row = " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells)
        return f"| slide {self.slide} says | we measured | verdict |\n|---|---|---|\n| {row} |"


def verdict(slide: int, says: str, measured: str, holds: bool | str) -> Verdict:
    """State what became of a claim of the deck; the last cell of "the slide, checked" calls it.

    Parameters
    ----------
    slide : int
        Number of the slide.
    says : str
        The claim, in one sentence.
    measured : str
        What was measured, in one sentence that is built from the numbers.
    holds : bool or "partly"
        The outcome of a comparison, not an opinion.

    Returns
    -------
    Verdict
        Shown as a row of a table. ``notebooks/README.md`` collects the rows of all notebooks.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> from annlab import widgets
    >>> widgets.verdict(7, "Accuracy is measured.", "The query was its own neighbour.", 1 > 2)
    Slide 7 does not hold. It says: Accuracy is measured. Measured: The query was its own neighbour.
    """
    # numpy's bool is what comparisons of arrays give
    holds = bool(holds) if not isinstance(holds, str) else holds
    if holds not in WORDS:
        raise invalid("holds", "True, False or 'partly'", repr(holds))
    if not isinstance(slide, int) or not 1 <= slide <= 15:
        raise invalid("slide", "an integer from 1 to 15", repr(slide))
    for name, text in (("says", says), ("measured", measured)):
        if not isinstance(text, str) or not text.strip().endswith((".", "!")):
            raise invalid(name, "a sentence that ends with a full stop", repr(text))
    return Verdict(slide, says.strip(), measured.strip(), holds)
