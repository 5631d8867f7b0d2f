"""A comparison: what was measured, its page, its plot and its files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from annlab._support.errors import invalid
from annlab.benchmarks.campaign.comparison_page import page
from annlab.benchmarks.campaign.markdown import save_figure
from annlab.benchmarks.campaign.measured import Measured, reference_of
from annlab.benchmarks.campaign.store import (
    FORMAT,
    SUFFIX,
    Record,
    Store,
    read_records,
    write_records,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PART = "comparison"


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Measured):
    """What `compare` measured, as plain data.

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
        From `measure_floors`.
    machine, options : dict
    """

    def __repr__(self) -> str:
        return (
            f"Comparison on {self.data['name']}: {self.data['n']:,} points, {self.data['d']} "
            f"features, {self.n_clusters:,} clusters, {len(self.keys())} peers, "
            f"{len(self.runs)} runs, {self.threads} threads"
        )

    def table(self) -> str:
        """Return the comparison in Markdown: times to quality, floors, settings."""
        return page(self)

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the curves with `annlab.plotting.plot_time_to_quality`."""
        from annlab.plotting import plot_time_to_quality

        return plot_time_to_quality(self, ax=ax)

    def save(self, folder: str | os.PathLike[str], name: str | None = None) -> list[Path]:
        """Write the numbers (.jsonl), the page (.md) and the plot (.png).

        Parameters
        ----------
        folder : path-like
            Created if it is missing.
        name : str, optional
            Stem of the files; data and k by default.

        Returns
        -------
        list of pathlib.Path

        Raises
        ------
        OSError
        """
        target = Path(folder)
        target.mkdir(parents=True, exist_ok=True)
        numbers = target / f"{name or file_stem(self.data['name'], self.n_clusters)}{SUFFIX}"
        settings = {
            "data": self.data,
            "n_clusters": self.n_clusters,
            "threads": self.threads,
            **self.options,
        }
        header = {"format": FORMAT, "part": PART, "machine": self.machine, "floors": self.floors}
        records = [{"kind": "peer", **peer} for peer in self.peers]
        records += [{"kind": "run", **run} for run in self.runs]
        write_records(numbers, {**header, "settings": settings}, records)
        page, picture = numbers.with_suffix(".md"), numbers.with_suffix(".png")
        # a page of its own on the site, so its heading is the first one there
        page.write_text(self.table().removeprefix("#"), encoding="utf-8")
        save_figure(picture, (9, 6), lambda figure: self.plot(figure.add_subplot()))
        return [numbers, page, picture]

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Comparison:
        """Read a file that `save` or `compare` wrote.

        Raises
        ------
        OSError, ValueError
        """
        header, records = read_records(path)
        try:
            return cls._of(header, list(records.values()))
        except (KeyError, TypeError) as reason:
            raise invalid(
                "path", f"a {SUFFIX} file of a comparison", f"{Path(path).name} ({reason!r})"
            ) from reason

    @classmethod
    def of(cls, store: Store) -> Comparison:
        """Return the comparison in a store."""
        return cls._of(store.header, store.all("peer") + store.all("run"))

    @classmethod
    def _of(cls, header: Record, records: list[Record]) -> Comparison:
        settings = dict(header["settings"])
        of_kind: dict[str, list[Record]] = {"peer": [], "run": []}
        for record in records:
            rest = {name: value for name, value in record.items() if name != "kind"}
            of_kind[record["kind"]].append(rest)
        return cls(
            data=settings.pop("data"),
            n_clusters=settings.pop("n_clusters"),
            threads=settings.pop("threads"),
            reference=reference_of(of_kind["run"]),
            peers=of_kind["peer"],
            runs=of_kind["run"],
            floors=header["floors"],
            machine=header["machine"],
            options=settings,
        )


def file_stem(name: str, n_clusters: int) -> str:
    """Return the stem of a comparison's files."""
    return f"{name}_k{n_clusters}".replace(" ", "_")
