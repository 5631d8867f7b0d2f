"""Predict before you run: a prediction is typed or clicked first and shown beside the truth."""

from __future__ import annotations

import html
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets

from annlab._support.checks import check_choice
from annlab._support.errors import invalid
from annlab.widgets.base.look import three


def ask(
    predict: str | Prediction | None, questions: Mapping[str, Callable[[], Prediction]]
) -> Prediction | None:
    """The question that a notebook asks for by name, its own, or none.

    Raises
    ------
    ValueError
        For an unknown name.
    """
    if not isinstance(predict, str):
        return predict
    return questions[check_choice(predict, "predict", tuple(questions))]()


def _shown(value: Any) -> str:
    if isinstance(value, int):
        return f"{value:,}"
    return three(value) if isinstance(value, float) else str(value)


class Prediction(ipywidgets.VBox):
    """A question, a place for the reader's answer, and the truth beside it once it is known.

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

    Notes
    -----
    Nobody has to predict: what is revealed without a prediction says so.
    """

    def __init__(
        self,
        question: str,
        options: Sequence[str] = (),
        *,
        truth: Callable[[Any], Any] | None = None,
        unit: str = "",
    ) -> None:
        if not isinstance(question, str) or not question.strip().endswith("?"):
            raise invalid("question", "a sentence that ends with a question mark", repr(question))
        self.question, self.options, self.unit = question.strip(), tuple(options), unit
        self._find = truth
        self.answer: object = None
        self.truth: Any = None
        self._lock = threading.RLock()
        width = {"description_width": "initial"}
        if self.options:
            self.field: Any = ipywidgets.ToggleButtons(
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
                style=width,
                layout=ipywidgets.Layout(width="260px"),
            )
        self._verdict = ipywidgets.HTML()
        heading = ipywidgets.HTML(
            f'<div class="annlab-question"><b>Predict.</b> {html.escape(self.question)}</div>'
        )
        row = ipywidgets.HBox(
            [self.field, self._verdict],
            layout=ipywidgets.Layout(flex_flow="row wrap", align_items="center"),
        )
        super().__init__([heading, row])
        self.add_class("annlab-prediction")
        self.field.observe(self._on_field, "value")
        self._show()

    def __repr__(self) -> str:
        # what changes first: nbval compares the beginning
        return f"{self.sentence} ({self.question})"

    @property
    def sentence(self) -> str:
        """Where the prediction stands: the answer, the truth, or both."""
        unit = f" {self.unit}" if self.unit else ""
        said = "no prediction" if self.answer is None else f"you said {_shown(self.answer)}{unit}"
        if self.truth is None:
            return "No prediction yet." if self.answer is None else f"Noted: {said}."
        return f"It is {_shown(self.truth)}{unit}; {said}."

    def predict(self, answer: object) -> Prediction:
        """Note an answer, as a click or a typed number does.

        Parameters
        ----------
        answer : str or float
            One of the options, or a number.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For anything else, and once the truth is known.
        """
        if self.truth is not None:
            raise invalid("answer", "given before the reveal", repr(answer), "Reset first.")
        self._note(answer)
        return self

    def _note(self, answer: object) -> None:
        if self.options:
            if answer not in self.options:
                rule = "one of " + ", ".join(repr(option) for option in self.options)
                raise invalid("answer", rule, repr(answer))
        else:
            try:
                number = float(str(answer).replace(",", "").replace("\u202f", ""))
            except ValueError as reason:
                raise invalid("answer", "a number", repr(answer)) from reason
            if number != number or number in (float("inf"), float("-inf")):
                raise invalid("answer", "a finite number", repr(answer))
            answer = int(number) if number.is_integer() else number
        with self._lock:
            self.answer = answer
            self._show()

    def reveal(self, truth: Any) -> Prediction:
        """Show the truth beside the prediction.

        Parameters
        ----------
        truth : str or number

        Returns
        -------
        self
        """
        if hasattr(truth, "item"):
            truth = truth.item()
        if self.options and truth not in self.options:
            rule = "one of " + ", ".join(repr(option) for option in self.options)
            raise invalid("truth", rule, repr(truth))
        with self._lock:
            self.truth = truth
            self._show()
        return self

    def reveal_from(self, result: Any) -> None:
        """Show the truth that an explorer's result holds."""
        if self._find is not None and self.truth is None:
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


def predict(question: str, options: Sequence[str] = (), *, unit: str = "") -> Prediction:
    """Ask the reader for a prediction, in a notebook, before the cell that gives the truth.

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


#: What explorers take as ``predict``: a question of theirs by its name, your own, or none.
Predict = str | Prediction | None
