"""Predictions: the reader answers first, then sees the truth beside it."""

from __future__ import annotations

import html
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import ipywidgets

from annlab._support.checks import check_choice
from annlab._support.errors import invalid
from annlab.widgets.base.controls import WIDE
from annlab.widgets.base.look import three


def _shown(value: object) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return three(value) if isinstance(value, float) else str(value)


class Prediction(ipywidgets.VBox):
    """A question, a field for the answer, and the truth once it is known.

    Parameters
    ----------
    question : str
        One sentence that ends with a question mark.
    options : sequence of str, optional
        Answers to click; without them a number is typed.
    truth : callable, optional
        Called with the explorer's result; returns the true answer (one of ``options``, or a
        number). An explorer calls it; a notebook calls `reveal` instead.
    unit : str, default=""
        Written after a number.
    """

    def __init__(
        self,
        question: str,
        options: Sequence[str] = (),
        *,
        truth: Callable[[Any], object] | None = None,
        unit: str = "",
    ) -> None:
        if not isinstance(question, str) or not question.strip().endswith("?"):
            raise invalid("question", "a sentence that ends with a question mark", repr(question))
        self.question, self.options, self.unit = question.strip(), tuple(options), unit
        self._find = truth
        self.answer: object = None
        self.truth: object = None
        self._lock = threading.RLock()
        if self.options:
            self.field = ipywidgets.ToggleButtons(
                options=self.options,
                value=None,
                tooltip="Your prediction",
                tooltips=[f"Predict: {option}" for option in self.options],
                style={"button_width": "auto"},
            )
        else:
            self.field = ipywidgets.Text(
                description="Your prediction",
                tooltip="Type a number, then press Enter",
                placeholder="a number",
                continuous_update=False,
                style=WIDE,
                layout={"width": "260px"},
            )
        self._verdict = ipywidgets.HTML()
        heading = ipywidgets.HTML(
            f'<div class="annlab-question"><b>Predict.</b> {html.escape(self.question)}</div>'
        )
        row = ipywidgets.HBox(
            [self.field, self._verdict],
            layout={"flex_flow": "row wrap", "align_items": "center"},
        )
        super().__init__([heading, row])
        self.add_class("annlab-prediction")
        self.field.observe(self._on_field, "value")
        self._show()

    def __repr__(self) -> str:
        # changing facts first: nbval compares the beginning
        return f"{self.sentence} ({self.question})"

    @property
    def sentence(self) -> str:
        """The answer, the truth, or both, in words."""
        unit = f" {self.unit}" if self.unit else ""
        said = "no prediction" if self.answer is None else f"you said {_shown(self.answer)}{unit}"
        if self.truth is None:
            return "No prediction yet." if self.answer is None else f"Noted: {said}."
        return f"It is {_shown(self.truth)}{unit}; {said}."

    @property
    def hides_truth(self) -> bool:
        """Whether there is a truth to reveal that is not shown yet."""
        return self._find is not None and self.truth is None

    def predict(self, answer: object) -> Self:
        """Record an answer, as a click or a typed number does.

        Parameters
        ----------
        answer : str or float
            One of the options, or a number.

        Raises
        ------
        ValueError
            For anything else, or if the truth is known already.
        """
        if self.truth is not None:
            raise invalid("answer", "given before the reveal", repr(answer), "Reset first.")
        self._note(answer)
        return self

    def _check_option(self, value: object, name: str) -> None:
        if self.options and value not in self.options:
            rule = "one of " + ", ".join(repr(option) for option in self.options)
            raise invalid(name, rule, repr(value))

    def _note(self, answer: object) -> None:
        self._check_option(answer, "answer")
        if not self.options:
            try:
                number = float(str(answer).replace(",", "").replace("\u202f", ""))
            except ValueError as reason:
                raise invalid("answer", "a number", repr(answer)) from reason
            if not math.isfinite(number):
                raise invalid("answer", "a finite number", repr(answer))
            answer = int(number) if number.is_integer() else number
        with self._lock:
            self.answer = answer
            self._show()

    def reveal(self, truth: Any) -> Self:
        """Show the truth, an option or a number, beside the prediction."""
        if hasattr(truth, "item"):
            truth = truth.item()
        self._check_option(truth, "truth")
        with self._lock:
            self.truth = truth
            self._show()
        return self

    def reveal_from(self, result: object) -> None:
        """Show the truth that an explorer's result holds."""
        if self.hides_truth and self._find is not None:
            self.reveal(self._find(result))

    def reset(self) -> None:
        """Forget the answer and hide the truth."""
        with self._lock:
            self.answer = self.truth = None
            self.field.value = None if self.options else ""
            self._show()

    def _on_field(self, change: dict[str, Any]) -> None:
        with self._lock:
            if change["new"] in (None, "") or self.truth is not None:
                return
            try:
                self._note(change["new"])
            except ValueError as reason:
                self._verdict.value = f'<div class="annlab-note">{html.escape(str(reason))}</div>'

    def _show(self) -> None:
        self.field.disabled = self.truth is not None
        self._verdict.value = (
            f'<div class="annlab-verdict" role="status">{html.escape(self.sentence)}</div>'
        )


#: What explorers take as ``predict``: the name of one of their questions, your own, or none.
Predict = str | Prediction | None


def ask(predict: Predict, questions: Mapping[str, Callable[[], Prediction]]) -> Prediction | None:
    """Return the named question, the given one, or None; check the name."""
    if not isinstance(predict, str):
        return predict
    return questions[check_choice(predict, "predict", tuple(questions))]()


def predict(question: str, options: Sequence[str] = (), *, unit: str = "") -> Prediction:
    """Ask for a prediction in a notebook, before the cell with the truth.

    Parameters
    ----------
    question : str
        One sentence that ends with a question mark.
    options : sequence of str, optional
        Answers to click; without them a number is typed.
    unit : str, default=""
        Written after a number.

    Returns
    -------
    Prediction
        Display it as the last expression of a cell; a later cell calls ``.reveal(truth)``.

    Examples
    --------
    >>> from annlab import widgets
    >>> guess = widgets.predict("How many of the 5 clusters will be empty?")
    >>> guess.predict(2).reveal(3)
    It is 3; you said 2. (How many of the 5 clusters will be empty?)
    """
    return Prediction(question, options, unit=unit)
