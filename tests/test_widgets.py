"""Explorers: their controls, replay, computing, sharing, predictions, pages."""

from __future__ import annotations

import base64
import io
import json
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image as Picture

from annlab import AnnlabWarning, widgets
from annlab.datasets import load_patches, load_photo, make_blobs
from annlab.widgets import _race, _topics
from annlab.widgets._steps import misassigned
from annlab.widgets.base import (
    Explorer,
    Prediction,
    Stopped,
    Store,
    choice,
    jobs,
    ladder,
    look,
    number,
    pictures,
    player,
    rows,
    slider,
    switch,
    testing,
    three,
)
from annlab.widgets.base import explorer as _explorer
from annlab.widgets.base.canvas import handle_control

EXPLORERS = widgets.available_explorers()


@pytest.fixture(autouse=True)
def usual_size():
    yield
    # closed first, or every explorer of the session would be drawn again
    for explorer in list(_explorer.living):
        explorer.close()
    widgets.projector(False)


def wait_for(condition, seconds=60.0):
    """Wait until a thread has done its work."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "a thread did not do its work"
        time.sleep(0.005)


@pytest.fixture
def join_threads():
    """Return a function that waits for the threads started since the test began."""
    before = set(threading.enumerate())

    def join():
        for thread in set(threading.enumerate()) - before:
            thread.join(60)
            assert not thread.is_alive()

    return join


def size_of(png):
    return Picture.open(io.BytesIO(png)).size


def frames_of(page):
    return json.loads(re.search(r'type="application/json" id="data">(.*?)</script>', page)[1])


# ------------------------------------------------------------------------------- all explorers


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_control_of_every_explorer(name):
    testing.exercise(lambda: widgets.example(name), n_actions=50, random_state=0)


@pytest.mark.parametrize("name", EXPLORERS)
def test_every_explorer_is_named_documented_saved_and_enlarged(name, tmp_path):
    explorer = widgets.example(name)
    assert explorer.name == name
    assert explorer.state.startswith(f"{name}?")
    assert ">>> " in getattr(widgets, name).__doc__
    assert name in dir(widgets)
    page = explorer.save_html(tmp_path / "page.html").read_text(encoding="utf-8")
    assert len(frames_of(page)["frames"]) == explorer.n_frames
    before, sentence = explorer.png(), explorer.text
    widgets.projector()
    assert size_of(explorer.png())[0] > size_of(before)[0]
    assert explorer.text == sentence
    widgets.projector(False)
    assert explorer.png() == before
    assert not plt.get_fignums(), "pictures are drawn without pyplot"


# ------------------------------------------------------------------------------------ the base


class Counter(Explorer):
    """A replay of ``length`` frames."""

    name = "counter"
    title = "Counting"
    size = (300, 120)
    replay = True
    slow = True

    def __init__(self, *, predict=None, gate=None):
        self.gate, self.calls, self.drawn, self.figure = gate, [], [], None
        super().__init__(
            [
                slider("length", "Length", "How many frames", 2, 9, 5),
                slider("grey", "Grey", "How dark", 0.0, 1.0, 0.5),
            ],
            predict=predict,
        )

    def compute(self, job, *, length):
        self.calls.append(length)
        if self.gate is not None and length != 5:
            for done in range(1000):
                job.report(done, 1000, "counting")
                if self.gate.wait(0.005):
                    break
        if length == 7:
            raise ValueError("seven is not possible")
        return list(range(length))

    def frame_count(self, result):
        return len(result)

    def draw(self, figure, result, frame, *, length, grey):
        self.drawn.append(frame)
        self.figure = figure
        figure.text(0.5, 0.5, str(frame), color=str(grey), fontsize=5)

    def sentence(self, result, frame, *, length, grey):
        return f"number {frame} of {len(result)}, drawn with grey {three(grey)}"


@pytest.fixture
def browser(monkeypatch):
    """Pretend that a browser, and not a cell, sets the controls."""
    monkeypatch.setattr(jobs, "asked_by_browser", lambda: True)


def test_unknown_names():
    with pytest.raises(AttributeError, match="no_such_explorer"):
        _ = widgets.no_such_explorer
    with pytest.raises(ValueError, match="step_explorer"):
        widgets.example("no_such_explorer")


def test_steps_stay_within_the_frames():
    explorer = Counter()
    assert explorer.step_back().frame == 0
    assert explorer.step().step().frame == 2
    assert explorer.run().frame == explorer.step().frame == 4
    explorer.frame = 1
    assert explorer.text.startswith("number 1 of 5")
    assert explorer.reset().frame == 0


@pytest.mark.parametrize(
    ("frame", "error"), [(5, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError)]
)
def test_invalid_frames_are_refused(frame, error):
    explorer = Counter()
    with pytest.raises(error, match="from 0 to 4"):
        explorer.frame = frame
    assert explorer.frame == 0


def test_fewer_frames_move_the_frame_inside():
    explorer = Counter().run()
    explorer.controls["length"].value = 3
    assert (explorer.frame, explorer.scrubber.max, explorer.scrubber.value) == (2, 2, 2)
    assert explorer.frame_field.value == 2


def test_frames_are_drawn_once_and_only_when_asked_for():
    explorer = Counter()
    assert explorer.drawn == [0]
    explorer.run().step_back().run()
    assert explorer.drawn == [0, 4, 3]


def test_results_are_kept_and_drawing_controls_compute_nothing():
    explorer = Counter()
    explorer.controls["grey"].value = 0.9
    assert explorer.calls == [5]
    assert "grey 0.9" in explorer.text
    for value in (6, 5, 6, 5):
        explorer.set(length=value)
    assert explorer.calls == [5, 6]


def test_mimebundle_and_snapshot_hold_picture_and_sentence():
    explorer = Counter().step()
    bundle, facts = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == explorer.text
    assert base64.b64decode(bundle["image/png"]) == explorer.png()
    assert facts["image/png"] == {"width": 300, "height": 120}
    assert "application/vnd.jupyter.widget-view+json" in bundle
    image = explorer.snapshot(3)
    assert image.data == explorer.png(3) and image.alt.startswith("number 3 of 5")
    assert explorer.frame == 1


def test_sentence_and_alternative_text_are_escaped():
    class Odd(Counter):
        def sentence(self, result, frame, *, length, grey):
            return f"<b>{frame}</b> is shown & more than twenty signs long"

    odd = Odd()
    assert "&lt;b&gt;0&lt;/b&gt; is shown &amp; more" in odd._says.value
    assert odd._dress.alt == odd.text


def test_pictures_are_sharp_legible_equal_and_carry_no_software():
    explorer = Counter()
    png = explorer.png()
    assert size_of(png) == (600, 240)
    assert b"Software" not in png and b"matplotlib" not in png.lower()
    assert Counter().png() == png
    assert explorer.figure.texts[0].get_fontsize() == 11.0


# ------------------------------------------------------------------------------------ sharing


def test_state_round_trip():
    explorer = Counter()
    explorer.set(length=8, grey=0.25).frame = 6
    assert explorer.state == "counter?frame=6&length=8&grey=0.25"
    other = Counter().restore(explorer.state)
    assert (other.state, other.text) == (explorer.state, explorer.text)
    assert other._share.value == explorer.state


@pytest.mark.parametrize(
    "text",
    [
        *"counter other?frame=1 counter?frame counter?colour=1 counter?length=7".split(),
        *"counter?frame=9 counter?frame=-1 counter?frame=² counter?frame=1&length=99".split(),
        *("counter?length=five", "counter?grey=nan", "", None),
    ],
)
def test_bad_states_are_refused_and_change_nothing(text):
    explorer = Counter().step()
    before = explorer.state
    with pytest.raises(ValueError, match=r"must be|not possible"):
        explorer.restore(text)
    assert explorer.state == before
    assert explorer.controls["length"].value == 5


def test_states_are_restored_after_a_reveal():
    explorer = Counter(predict=asked()).run()
    assert explorer.prediction.truth == 5
    explorer.restore("counter?frame=2&length=6&grey=0.5")
    assert (explorer.frame, explorer.n_frames, explorer.prediction.truth) == (2, 6, None)


def test_share_field_takes_a_state_or_says_what_is_wrong():
    explorer = Counter()
    explorer._share.value = " counter?frame=3&length=6&grey=0.5 "
    assert (explorer.frame, explorer.n_frames) == (3, 6)
    explorer._share.value = "counter?frame=77"
    assert explorer._share.value == "counter?frame=3&length=6&grey=0.5"
    assert "from 0 to 5" in explorer._note.value
    explorer.step()
    assert explorer._note.value == ""


def test_set_refuses_invalid_values():
    explorer = Counter()
    with pytest.raises(ValueError, match="length must be an integer from 2 to 9"):
        explorer.set(length=77)
    with pytest.raises(ValueError, match="colour"):
        explorer.set(colour=1)
    assert explorer.values == {"length": 5, "grey": 0.5}


@pytest.mark.parametrize(
    ("control", "value", "text", "bad"),
    [
        (slider("a", "A", "a", 0, 10, 5), 7, "7", "7.5"),
        (slider("a", "A", "a", 0.0, 1.0, 0.5), 0.125, "0.125", "2"),
        (number("a", "A", "a", 0, 9, 5), 9, "9", "10"),
        (ladder("a", "A", "a", [10, 100, 1000], 100), 1000, "1,000", "1000"),
        (choice("a", "A", "a", {"one way": 1, "other": 2}, 1), 2, "other", "2"),
        (choice("a", "A", "a", ["x", "y"], "x", buttons=True), "y", "y", "z"),
        (switch("a", "A", "a"), True, "yes", "True"),
        (handle_control("a", [[0, 0]], 1, 2, []), [[1.0, 2.5]], "[[1.0,2.5]]", "{"),
        (handle_control("a", [[0, 0]], 1, 2, []), [[3.0, 1.0]], "[[3.0,1.0]]", "[[1]]"),
    ],
)
def test_controls_write_and_read_their_values(control, value, text, bad):
    control.value = value
    assert control.encode(control.value) == text
    assert control.decode(text) == value
    assert control.accept(value) == value
    with pytest.raises(ValueError):
        control.decode(bad)


# -------------------------------------------------------------------------------- in a browser


def test_browser_computes_in_a_thread_with_progress(browser):
    gate = threading.Event()
    explorer = Counter(gate=gate)
    explorer.controls["length"].value = 8
    assert explorer.n_frames == 5, "the picture stays until the result is there"
    wait_for(lambda: explorer.worker.row.layout.visibility == "visible")
    wait_for(lambda: explorer.worker.bar.value > 0)
    gate.set()
    wait_for(lambda: explorer.n_frames == 8)
    assert explorer.worker.row.layout.visibility == "hidden"
    testing.check_shown(explorer)


def test_stop_keeps_the_picture_and_puts_the_control_back(browser):
    explorer = Counter(gate=threading.Event())
    explorer.controls["length"].value = 8
    explorer.buttons["stop"].click()
    wait_for(lambda: "Stopped" in explorer._note.value)
    assert explorer.controls["length"].value == 5
    testing.check_shown(explorer)


def test_shared_states_are_computed_in_a_thread(browser):
    gate = threading.Event()
    explorer = Counter(gate=gate)
    explorer._share.value = "counter?frame=3&length=6&grey=0.25"
    assert explorer.n_frames == 5
    gate.set()
    wait_for(lambda: explorer.n_frames == 6)
    assert (explorer.frame, explorer.controls["grey"].value) == (3, 0.25)
    testing.check_shown(explorer)
    explorer._share.value = "counter?frame=8&length=8&grey=0.25"
    wait_for(lambda: "from 0 to 7" in explorer._note.value)
    assert explorer._share.value == explorer.state == "counter?frame=3&length=6&grey=0.25"
    testing.check_shown(explorer)


def test_the_latest_request_wins(browser, join_threads):
    gate = threading.Event()
    explorer = Counter(gate=gate)
    for length in (8, 9, 6):
        explorer.controls["length"].value = length
    gate.set()
    join_threads()
    assert explorer.n_frames == 6
    testing.check_shown(explorer)


@pytest.mark.parametrize("slow", [True, False])
def test_errors_are_shown_in_a_browser_and_change_nothing(browser, slow):
    explorer = type("Counter", (Counter,), {"slow": slow})()
    explorer.controls["length"].value = 7
    wait_for(lambda: "seven is not possible" in explorer._note.value)
    assert explorer.controls["length"].value == 5
    testing.check_shown(explorer)


def test_errors_are_raised_without_a_browser():
    with pytest.raises(ValueError, match="seven"):
        Counter().controls["length"].value = 7


def test_run_goes_frame_by_frame_and_pauses(browser, monkeypatch, join_threads):
    monkeypatch.setitem(player.SPEEDS, "fast", 0.02)
    explorer = Counter()
    explorer.speed.value = "fast"
    run = explorer.buttons["run"]
    run.click()
    assert run.description == "Pause"
    join_threads()
    assert explorer.frame == 4 and run.description == "Run"
    assert explorer.drawn == [0, 1, 2, 3, 4]
    monkeypatch.setitem(player.SPEEDS, "fast", 60.0)
    run.click()
    assert explorer.frame == 0, "at the end, Run begins again"
    run.click()
    assert run.description == "Run"
    # the pause ends the thread at once
    join_threads()
    assert explorer.frame == 0
    run.click()
    explorer._on_views({"new": 0})
    assert run.description == "Run", "an explorer that leaves every screen pauses"


def test_a_view_in_a_browser_draws_all_frames_ahead(join_threads):
    explorer = Counter().set(length=6)
    join_threads()
    assert explorer.drawn == [0, 0], "nothing is drawn ahead without a view"
    explorer.set(length=5)
    explorer._view_count = 1
    join_threads()
    explorer.run()
    assert sorted(explorer.drawn) == [0, 0, 1, 2, 3, 4]


def test_requested_frames_overtake_those_drawn_ahead(monkeypatch):
    # turns of its own: after a recent request nothing is drawn ahead for a while
    order, turns = [], pictures._Turns()
    monkeypatch.setattr(pictures, "_turns", turns)

    def ahead(figure):
        # the first one waits until all others and the reader are in the queue
        if not order:
            wait_for(lambda: turns._waiting and len(turns._free._waiters) >= 6)
        order.append("ahead")

    def start(draw, **given):
        frames = pictures.Pictures((200, 100))
        thread = threading.Thread(target=frames.get, args=("key", draw), kwargs=given)
        thread.start()
        return thread

    threads = [start(ahead, ahead=True) for _ in range(6)]
    wait_for(lambda: len(turns._free._waiters) >= 5)
    threads.append(start(lambda figure: order.append("reader")))
    for thread in threads:
        thread.join()
    assert order == ["ahead", "reader", *["ahead"] * 5]


def test_threads_do_not_tear_the_state():
    explorer = Counter()
    explorer._view_count = 1

    def worry(seed):
        rng = np.random.RandomState(seed)
        for _ in range(60):
            if rng.randint(3):
                explorer.scrubber.value = rng.randint(4)
            else:
                explorer.set(length=int(rng.randint(4, 7)))

    with ThreadPoolExecutor(3) as pool:
        # an error of a thread is raised here
        list(pool.map(worry, range(3)))
    testing.check_shown(explorer)


def test_unwanted_jobs_stop():
    job = jobs.Job()
    report = job.callback(10)
    assert report(SimpleNamespace(iteration=1)) is False
    job.stop()
    with pytest.raises(Stopped):
        report(SimpleNamespace(iteration=2))


# --------------------------------------------------------------------------------- predictions


def asked():
    return Prediction("How many numbers are there?", truth=len, unit="numbers")


def test_prediction_is_compared_at_the_last_frame():
    explorer = Counter(predict=asked())
    explorer.prediction.field.value = "7"
    assert explorer.prediction.sentence == "Noted: you said 7 numbers."
    explorer.run()
    assert explorer.prediction.sentence == "It is 5 numbers; you said 7 numbers."
    assert explorer.prediction.field.disabled
    explorer.reset()
    assert explorer.prediction.sentence == "No prediction yet."
    assert explorer.prediction.field.value == ""


def test_another_result_asks_again():
    explorer = Counter(predict=asked()).run()
    assert explorer.prediction.truth == 5
    explorer.controls["length"].value = 4
    assert (explorer.prediction.truth, explorer.frame) == (None, 0)
    assert explorer.run().prediction.truth == 4

    still = type("Counter", (Counter,), {"replay": False, "keeps_back": True})(predict=asked())
    assert still.veiled
    still.press("compare")
    assert not still.veiled and still.prediction.truth == 5
    assert still.set(length=4).veiled, "the truth of another question is hidden again"


def test_predictions_take_one_of_their_options():
    guess = widgets.predict("Which is faster?", ["a tree", "a table"])
    assert repr(guess) == "No prediction yet. (Which is faster?)"
    with pytest.raises(ValueError, match="one of 'a tree', 'a table'"):
        guess.predict("a stone")
    guess.field.value = "a tree"
    assert guess.answer == "a tree"
    assert repr(guess.reveal("a table")) == "It is a table; you said a tree. (Which is faster?)"
    with pytest.raises(ValueError, match="before the reveal"):
        guess.predict("a table")


def test_predictions_take_finite_numbers():
    guess = widgets.predict("How many?", unit="points")
    for answer in ("x", float("nan"), float("inf"), None):
        with pytest.raises(ValueError, match="number"):
            guess.predict(answer)
    assert guess.predict("1,200").sentence == "Noted: you said 1,200 points."
    guess.field.value = "many"
    assert "must be a number" in guess._verdict.value
    guess.reveal(np.float64(0.12345))
    assert guess.sentence == "It is 0.123 points; you said 1,200 points."
    with pytest.raises(ValueError, match="question mark"):
        widgets.predict("Guess.")


# --------------------------------------------------------------------------------- saved pages


def test_saved_page_holds_every_frame_and_no_address(tmp_path):
    explorer = Counter().step()
    page = explorer.save_html(tmp_path / "page.html").read_text(encoding="utf-8")
    data = frames_of(page)
    assert data["start"] == 1
    for number_, frame in enumerate(data["frames"]):
        assert frame["text"] == f"number {number_} of 5, drawn with grey 0.5"
        head, _, body = frame["picture"].partition(",")
        assert head == "data:image/png;base64"
        assert base64.b64decode(body) == explorer.png(number_)
    without_data = re.sub(r'id="data">.*?</script>', "", page, flags=re.S)
    assert "http" not in without_data.replace("http-equiv", "")


def test_saved_page_escapes_title_and_sentence(tmp_path):
    class Odd(Counter):
        title = "A <b> & a $dollar"

        def sentence(self, result, frame, *, length, grey):
            return f"{frame} </script><script>alert(1)</script> <!-- $word ${{x}}"

    page = Odd().save_html(tmp_path / "odd.html").read_text(encoding="utf-8")
    assert frames_of(page)["frames"][2]["text"].startswith("2 </script>")
    assert page.count("<script") == 2
    assert "<h1>A &lt;b&gt; &amp; a $dollar</h1>" in page


def test_saved_page_over_a_control(tmp_path):
    explorer = Counter()
    page = explorer.save_html(tmp_path / "page.html", over="grey").read_text(encoding="utf-8")
    texts = [frame["text"] for frame in frames_of(page)["frames"]]
    assert texts == [f"number 0 of 5, drawn with grey {grey}" for grey in (0, 1)]
    with pytest.raises(ValueError, match="colour"):
        explorer.save_html(tmp_path / "page.html", over="colour")


# --------------------------------------------------------------------------- clusters in pictures


def drawn(labels, **given):
    axes = Figure().subplots()
    look.scatter_clusters(axes, np.arange(2 * len(labels)).reshape(-1, 2), labels, **given)
    return axes.collections


def test_every_point_has_the_colour_of_its_cluster():
    labels = np.array([0, 1, 9, 9, 17, -1])
    found = {}
    for dots in drawn(labels):
        colors = dots.get_facecolors() if len(dots.get_facecolors()) else dots.get_edgecolors()
        places = dots.get_offsets()
        for (x, _), color in zip(places, np.broadcast_to(colors, (len(places), 4)), strict=True):
            found[int(x) // 2] = tuple(color[:3])
    for row, label in enumerate(labels):
        wanted = look.QUIET if label < 0 else look.cluster_color(label)
        assert found[row] == pytest.approx(to_rgb(wanted)), f"row {row}"


def test_planes_have_equal_scales():
    axes = Figure().subplots()
    look.plane(axes, look.frame_limits(np.array([[0.0, 0.0], [10.0, 1.0]])))
    assert axes.get_aspect() == 1.0
    assert axes.get_xlim()[0] < 0 < 10 < axes.get_xlim()[1]


# ------------------------------------------------------------------------- verdicts and own data


def test_verdicts_are_rows_of_a_table_and_are_checked():
    holds = widgets.verdict(3, "It is | fast.", "It took\nlong.", np.bool_(False))
    assert holds._repr_markdown_().splitlines()[-1] == (
        "| It is \\| fast. | It took long. | **does not hold** |"
    )
    assert repr(widgets.verdict(3, "A.", "B.", "partly")).startswith("Slide 3 holds in part.")
    for bad in (
        (0, "A.", "B.", True),
        (3, "A", "B.", True),
        (3, "A.", "", True),
        (3, "A.", "B.", "x"),
    ):
        with pytest.raises(ValueError):
            widgets.verdict(*bad)


TABLE = "name;height;weight;note\nada;1,5;50;x\nbob;1,7;70;\neve;1,9;;y\nfay;1,6;60;z\n"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (TABLE, "utf-8"),
        (TABLE, "utf-8-sig"),
        (TABLE, "utf-16"),
        (TABLE.replace(",", ".").replace(";", ","), "cp1252"),
        (TABLE.replace(",", ".").replace(";", "\t"), "utf-8"),
    ],
)
def test_your_data_reads_a_table(tmp_path, text, encoding):
    path = tmp_path / "people.csv"
    path.write_text(text, encoding=encoding)
    with pytest.warns(AnnlabWarning, match="1 of 4 rows"):
        X = widgets.your_data(path)
    raw = np.array([[1.5, 50], [1.7, 70], [1.6, 60]])
    assert np.allclose(X, (raw - raw.mean(axis=0)) / raw.std(axis=0))


def test_plain_tables_keep_their_first_row_and_long_ones_are_thinned(tmp_path):
    path = tmp_path / "points.csv"
    np.savetxt(path, np.arange(200.0).reshape(100, 2), delimiter=",")
    assert widgets.your_data(path).shape == (100, 2)
    assert len(widgets.your_data(path, max_rows=30)) == 25


def test_your_data_reads_a_text(tmp_path):
    path = tmp_path / "notes.txt"
    lines = ["the cat sleeps", "a cat purrs", "rockets fly to orbit", "orbit of a rocket"] * 3
    path.write_text("\n".join(lines))
    X = widgets.your_data(path)
    assert len(X) == 12
    assert np.allclose(np.linalg.norm(X, axis=1), 1)
    path.write_text("\n\n".join("\n".join(lines[i : i + 4]) for i in (0, 4, 8)))
    assert len(widgets.your_data(path)) == 3, "paragraphs go before lines"


def test_your_data_reads_an_image_and_an_array(tmp_path):
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    Picture.fromarray(pixels).save(tmp_path / "picture.png")
    assert np.array_equal(widgets.your_data(tmp_path / "picture.png"), pixels)
    points = widgets.your_data(tmp_path / "picture.png", points=True)
    assert np.allclose(points, pixels.reshape(-1, 3) / 255)
    np.save(tmp_path / "array.npy", np.eye(3))
    assert np.array_equal(widgets.your_data(tmp_path / "array.npy"), np.eye(3))


def test_the_default_is_checked_too():
    assert widgets.your_data("", default=[[1, 2], [3, 4]]).dtype == np.float64
    assert widgets.your_data(None, default=np.zeros((2, 3, 3))).shape == (2, 3, 3)
    for given, message in (({"default": [[np.nan]]}, "NaN"), ({}, "no default")):
        with pytest.raises(ValueError, match=message):
            widgets.your_data("", **given)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.csv", "a,b\nc,d\n", "rows of numbers"),
        ("table.csv", "", "a file with rows"),
        ("notes.txt", "one line", "three paragraphs"),
        ("notes.txt", "!\n?\n.\n", "with words"),
        ("array.npy", "no array", "numpy.save"),
        ("picture.png", "no picture", "image"),
        ("sheet.xlsx", "", "ends with one of"),
    ],
)
def test_unusable_files_are_refused(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        widgets.your_data(path)
    with pytest.raises(FileNotFoundError, match="existing file"):
        widgets.your_data(tmp_path / "missing.csv")


# ------------------------------------------------------------------------------------- progress


@pytest.fixture
def progress(tmp_path, monkeypatch):
    path = tmp_path / "folder" / "progress.json"
    monkeypatch.setenv("ANNLAB_PROGRESS", str(path))
    return path


def test_ticks_are_kept_and_shared(progress):
    widgets.progress_map().tick(3).tick(5).tick(3, False)
    other = widgets.progress_map()
    assert other.done == set(), "nothing is read before a browser shows it"
    widgets.progress_map().tick(1)
    other._view_count = 1
    assert other.done == {1, 5}, "two maps do not forget each other"
    assert other.boxes[5].value
    assert other.sentence.startswith("2 of 15 topics done; next: 2. ")
    assert "5&nbsp;✓" in other._map.value


@pytest.mark.parametrize("text", ["", "{", "[]", '{"done": 3}', '{"done": ["x", 99, 4]}'])
def test_damaged_progress_files_are_replaced(progress, text):
    progress.parent.mkdir()
    progress.write_text(text)
    map_ = widgets.progress_map()
    map_._view_count = 1
    assert map_.done <= {4}
    map_.tick(7)
    assert 7 in json.loads(progress.read_text())["done"]


def test_progress_that_cannot_be_stored_lasts_until_the_kernel_ends(progress):
    progress.parent.write_text("a file where the folder should be")
    map_ = widgets.progress_map().tick(2)
    assert map_.done == {2}
    assert "could not be stored" in map_._says.value


def test_every_system_has_a_place_for_progress(monkeypatch, tmp_path):
    for name in ("ANNLAB_PROGRESS", "XDG_DATA_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    end = Path("annlab") / "progress.json"
    assert _topics.progress_path() == tmp_path / ".local" / "share" / end
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert _topics.progress_path() == tmp_path / "data" / end
    monkeypatch.setattr(_topics.sys, "platform", "win32")
    assert _topics.progress_path() == tmp_path / "data" / end
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert _topics.progress_path() == tmp_path / "local" / end
    # before the platform's own packages look at it again
    monkeypatch.undo()


def test_the_repr_of_a_map_is_the_same_for_every_progress(progress):
    map_ = widgets.progress_map()
    before = repr(map_)
    assert repr(map_.tick(1)) == before
    with pytest.raises(ValueError, match="from 1 to 15"):
        map_.tick(16)
    for number_ in map_.boxes:
        map_.tick(number_)
    assert map_.sentence == "15 of 15 topics done. Well done!"


def test_topics_are_those_of_the_start_page(root):
    page = (root / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8")
    assert [topic.number for topic in _topics.TOPICS] == list(range(1, 16))
    for topic in _topics.TOPICS:
        entry = f"[{topic.title}]({topic.file}.ipynb)"
        assert f"| {topic.number} | {entry} | {topic.question} |" in page


# ------------------------------------------------------------------------------- step_explorer

BLOBS = make_blobs(120, 4, separation=10, random_state=2, dtype=np.float64).X
ROUGH = {"n_tables": 1, "n_hashes": 3, "n_probes": 1}


def small(**given):
    arguments = {"algorithm_params": ROUGH, "init": "random", "random_state": 0} | given
    return widgets.step_explorer(BLOBS, 4, **arguments)


def test_frames_are_the_steps_of_both_runs_from_the_same_centroids():
    explorer = small()
    race = explorer.result
    assert np.array_equal(race.exact.trace[0].centroids, race.approximate.trace[0].centroids)
    assert explorer.n_frames == 1 + max(race.exact.n_iter, race.approximate.n_iter)
    exact, approximate, wrong = race.steps(explorer.n_frames - 1)
    assert exact is race.exact.trace[-1]
    assert approximate is race.approximate.trace[-1]
    assert wrong is race.wrong[-1]
    assert race.steps(1)[:2] == (race.exact.trace[0], race.approximate.trace[0])


def test_recall_is_the_share_of_nearest_labels():
    explorer = small()
    race = explorer.result
    assert any(wrong.any() for wrong in race.wrong), "the rough index must miss something"
    for step, wrong in zip(race.approximate.trace, race.wrong, strict=True):
        distances = np.linalg.norm(BLOBS[:, None] - step.centroids[None], axis=2)
        assert np.array_equal(wrong, step.labels != distances.argmin(axis=1))
    explorer.frame = 1
    assert f"recall {1 - race.wrong[0].mean():.3f}" in explorer.text
    exact, approximate, _ = race.steps(1)
    assert f"{approximate.n_moved} points moved" in explorer.text
    assert f"{three(exact.inertia)} exact and {three(approximate.inertia)} approx" in explorer.text
    counts = f"{exact.n_distances:,} and {approximate.n_distances:,} distance computations"
    assert counts in explorer.text


def test_an_exact_index_makes_no_mistake():
    explorer = small(algorithm="kd_tree", algorithm_params=None, predict="inertia").run()
    race = explorer.result
    assert not any(wrong.any() for wrong in race.wrong)
    assert np.array_equal(race.exact.labels, race.approximate.labels)
    assert "recall 1," in explorer.text
    assert explorer.prediction.truth == "the same"
    # a tie is no mistake either
    ends = np.array([[0.0, 0.0], [2.0, 0.0]])
    assert not misassigned(np.array([[1.0, 0.0]]), ends, np.array([1])).any()


def test_mistakes_are_marked(monkeypatch):
    rings = []
    real = Axes.scatter

    def scatter(self, x, y, *args, **kwargs):
        if isinstance(kwargs.get("facecolors"), str) and kwargs["facecolors"] == "none":
            rings.append(len(np.atleast_1d(x)))
        return real(self, x, y, *args, **kwargs)

    monkeypatch.setattr(Axes, "scatter", scatter)
    explorer = small()
    explorer.frame = 1
    assert rings == [explorer.result.wrong[0].sum()]


def test_patches_are_shown_in_a_fixed_projection_with_their_centroids():
    X = load_patches(300, 4, random_state=0)
    explorer = widgets.step_explorer(
        X, 6, patch_shape=(4, 4, 3), max_iter=4, init="random", random_state=0
    )
    assert explorer.flat(X).shape == (300, 2)
    two_main = np.linalg.svd(X - X.mean(axis=0), compute_uv=False)[:2]
    assert np.allclose(explorer.flat(X).var(axis=0).sum(), two_main @ two_main / len(X), rtol=1e-4)
    explorer.run()
    testing.check_shown(explorer)


def test_images_are_recoloured_in_every_form():
    photo = load_photo("flower")[::8, ::8]
    common = {"n_clusters": 5, "max_iter": 4, "random_state": 0}
    explorer = widgets.step_explorer(image=photo, **common)
    assert np.allclose(explorer.picture, photo / 255.0)
    testing.check_shown(explorer.run())
    for same in ({"image": photo / 255.0}, {"X": photo}):
        assert np.array_equal(widgets.step_explorer(**same, **common).X, explorer.X)
    grey = widgets.step_explorer(image=photo[..., 0], **common)
    assert np.array_equal(grey.picture, np.repeat(photo[..., :1] / 255.0, 3, axis=2))
    large = widgets.step_explorer(image=load_photo("china"), n_clusters=3, max_iter=1)
    assert len(large.X) <= 16_000


def test_one_dimension_and_an_index_object():
    from sklearn.neighbors import NearestNeighbors

    explorer = widgets.step_explorer(
        [[0.0], [1.0], [5.0], [6.0]], 2, NearestNeighbors(n_neighbors=1), random_state=0
    )
    assert explorer.values["index"] == "NearestNeighbors"
    assert "8 distance computations and an uncounted number" in explorer.step().text
    explorer.set(index="kd_tree")
    testing.check_shown(explorer)


# ----------------------------------------------------------------------------------------- store


def test_a_store_measures_once_and_drops_the_oldest():
    calls = []

    def measure(word):
        calls.append(word)
        return word.upper()

    store = Store(2)
    assert [store.get(word, measure, word) for word in "aab"] == ["A", "A", "B"]
    assert store.get("c", measure, "c") == "C" and store.get("b", measure, "b") == "B"
    assert calls == ["a", "b", "c"]
    assert store.get("a", measure, "a") == "A" and calls == ["a", "b", "c", "a"]


def test_simultaneous_measurements_show_the_same():
    store = Store(3)
    # the second request comes while the first still measures
    first = store.get("key", lambda: (store.get("key", lambda: "second"), "first")[1])
    assert first == store.get("key", lambda: "third") == "second"


def test_races_build_an_index_once_whatever_is_counted(monkeypatch):
    built = []
    make = _race.make_index
    monkeypatch.setattr(
        _race, "make_index", lambda name, **p: built.append(name) or make(name, **p)
    )
    X = np.random.RandomState(5).rand(400, 5)
    race = widgets.index_race(X).set(hnsw=True)
    assert sorted(built) == ["brute", "hnsw", "lsh"]
    counted = race.result
    timed = race.set(cost="queries per second").result
    assert sorted(built) == ["brute", "hnsw", "lsh"], "the clock needs no other index"
    for lap, same in zip(timed, counted, strict=True):
        assert lap.query_s > 0 and same.query_s is None and lap.build_s > 0
        assert replace(lap, query_s=None, build_s=None) == same
    # another build is another index, and the others stay
    race.set(build="heavy")
    assert sorted(built) == ["brute", "hnsw", "hnsw", "lsh", "lsh"]
    # the parameter set for the clock is set back: a second race counts the same
    _race._known._known.clear()
    assert widgets.index_race(X).set(hnsw=True).result == counted


# -- smaller parts ---------------------------------------------------------------------------------


def test_only_messages_of_a_widget_count_as_a_browser(monkeypatch):
    import IPython

    shell = SimpleNamespace()
    monkeypatch.setattr(IPython, "get_ipython", lambda: shell)
    assert not jobs.asked_by_browser(), "IPython in a terminal"
    for kind, asked in (("comm_msg", True), ("execute_request", False)):
        parent = {"header": {"msg_type": kind}}
        shell.kernel = SimpleNamespace(get_parent=lambda parent=parent: parent)
        assert jobs.asked_by_browser() is asked
    shell.kernel = SimpleNamespace()
    assert not jobs.asked_by_browser(), "another kernel"


def test_old_frames_are_dropped_and_drawn_again(monkeypatch):
    monkeypatch.setattr(pictures, "KEPT_FRAMES", 3)
    explorer = Counter()
    for frame in range(5):
        explorer._go(frame)
    assert len(explorer._pictures.known) == 3
    drawn = len(explorer.drawn)
    explorer._go(4)
    assert len(explorer.drawn) == drawn
    explorer._go(0)
    assert explorer.drawn[drawn:] == [0]


def test_an_explorer_without_replay_goes_back_to_its_first_values():
    class Still(Counter):
        replay = False

    explorer = Still().set(length=3)
    explorer.press("compare")
    assert explorer.values["length"] == 3, "without a prediction there is nothing to compare"
    explorer.press("reset")
    assert explorer.values["length"] == 5


def test_an_explorer_without_controls_has_no_buttons():
    class Bare(Explorer):
        name, title, size = "bare", "Nothing to set", (300, 120)

        def compute(self, job):
            return 3

        def draw(self, figure, result, frame):
            figure.text(0.5, 0.5, str(result), fontsize=12)

        def sentence(self, result, frame):
            return f"It is {result}."

    bare = Bare()
    assert bare.text == "It is 3." and not bare.buttons


def test_given_centroids_leave_no_other_start():
    X, _ = make_blobs(60, 3, random_state=0)
    explorer = widgets.step_explorer(X, 3, init=X[:3], max_iter=3)
    assert "start" not in explorer.controls
    np.testing.assert_allclose(explorer.result.exact.trace[0].centroids, X[:3])
    assert "start" in widgets.step_explorer(X, 3, max_iter=3).controls
    assert widgets.step_explorer(X, 3, "brute", max_iter=3).result.winner == "the same"


def test_patches_are_rotated_onto_their_axes():
    X = rows.cube_or_patches("patches", 2000)
    variances = X.var(axis=0)
    assert (np.diff(variances) <= 1e-9).all()
    np.testing.assert_allclose(np.corrcoef(X[:, :6].T), np.eye(6), atol=1e-6)
