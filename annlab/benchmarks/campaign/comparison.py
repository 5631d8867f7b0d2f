"""A comparison: what was measured, its page, its plot and its files."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from annlab._support.errors import invalid
from annlab._support.files import atomic_write
from annlab.benchmarks.campaign.comparison_page import page
from annlab.benchmarks.campaign.markdown import save_figure
from annlab.benchmarks.campaign.measured import Measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FORMAT = 2


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Measured):
    """What `compare` measured. Everything in it is plain data: `save` writes it as JSON.

    Attributes
    ----------
    data : dict
        name, n, d, description.
    n_clusters, threads : int
    reference : dict
        definition and inertia: what ratios are relative to.
    peers : list of dict
        key, label, settings, knob, is_ours, prepare_s (imports and warm-up), left_out (why a peer
        has no runs; empty otherwise).
    runs : list of dict
        peer, seed, rung (settings), status (``"ok"``, or why there is no time), seconds, inertia,
        n_iter, n_used (clusters with points), peak_bytes (anonymous memory above the rows),
        others_cores (busy for other processes meanwhile), repeats_s.
    floors : dict
        Of `measure_floors`.
    machine, options : dict
    """

    def __repr__(self) -> str:
        return (
            f"Comparison on {self.data['name']}: {self.data['n']:,} points, {self.data['d']} "
            f"features, {self.n_clusters:,} clusters, {len(self.keys())} peers, "
            f"{len(self.runs)} runs, {self.threads} threads"
        )

    def table(self) -> str:
        """Return the comparison as a page in Markdown: times to quality, floors, settings."""
        return page(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curves: `annlab.plotting.plot_time_to_quality`."""
        from annlab.plotting import plot_time_to_quality

        return plot_time_to_quality(self, ax=ax)

    def save(self, folder: str | os.PathLike[str], name: str | None = None) -> list[Path]:
        """Write the numbers (.json), the page (.md) and the plot (.png).

        Parameters
        ----------
        folder : path-like
            Made where it is missing.
        name : str, optional
            Stem of the files; data and k by default.

        Returns
        -------
        list of pathlib.Path

        Raises
        ------
        OSError
        """
        numbers = self.save_numbers(folder, name)
        page, picture = numbers.with_suffix(".md"), numbers.with_suffix(".png")
        # a page of its own on the site, so its heading is the first one there
        page.write_text(self.table().removeprefix("#"), encoding="utf-8")
        save_figure(picture, (9, 6), lambda figure: self.plot(figure.add_subplot()))
        return [numbers, page, picture]

    def save_numbers(self, folder: str | os.PathLike[str], name: str | None = None) -> Path:
        """Write the numbers alone, all or nothing; parameters as in `save`."""
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        numbers = target / f"{name or file_stem(self.data['name'], self.n_clusters)}.json"
        with atomic_write(numbers, text=True) as file:
            file.write(json.dumps(self.to_dict(), indent=1) + "\n")
        return numbers

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "format": _FORMAT,
            "data": self.data,
            "n_clusters": self.n_clusters,
            "threads": self.threads,
            "reference": self.reference,
            "floors": self.floors,
            "machine": self.machine,
            "options": self.options,
            "peers": self.peers,
            "runs": self.runs,
        }

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Comparison:
        """Read a file that `save` wrote.

        Raises
        ------
        OSError, ValueError
        """
        try:
            record = json.loads(Path(path).read_text(encoding="utf-8"))
            if record.pop("format") != _FORMAT:
                raise ValueError("another version of the format")
            return cls(**record)
        except (ValueError, KeyError, TypeError, AttributeError) as reason:
            raise invalid(
                "path", "a .json file that Comparison.save wrote", f"{Path(path).name} ({reason})"
            ) from reason


def file_stem(name: str, n_clusters: int) -> str:
    """Stem of a comparison's files."""
    return f"{name}_k{n_clusters}".replace(" ", "_")
