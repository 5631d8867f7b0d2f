"""A saved page steps by mouse, by keyboard and by itself, without kernel, server or network."""

from __future__ import annotations

import numpy as np
import pytest

from annlab import widgets

X = np.random.RandomState(0).rand(60, 2)


@pytest.fixture
def page(browser, tmp_path):
    """Open a saved replay of k-means as a file, without a network and with a clock of its own."""
    explorer = widgets.step_explorer(X, 4, random_state=0)
    path = explorer.save_html(tmp_path / "replay.html")
    context = browser.new_context(offline=True, viewport={"width": 1000, "height": 800})
    page = context.new_page()
    page.asked, page.wrong = [], []
    page.on("request", lambda request: page.asked.append(request.url))
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.clock.install()
    page.goto(path.as_uri())
    page.frames_there = explorer.n_frames
    yield page
    context.close()


def frame(page):
    """Return the number of the frame, and check that sentence and picture belong to it."""
    number = page.locator("#number").text_content().split()
    assert int(number[2]) == page.frames_there - 1
    sentence = page.locator("#text").text_content()
    assert sentence.startswith(f"iteration {number[0]} of ")
    assert page.locator("#picture").get_attribute("alt") == sentence
    assert page.locator("#scrubber").input_value() == number[0]
    assert page.locator("#picture").evaluate("img => img.decode().then(() => img.naturalWidth)") > 0
    return int(number[0])


def test_buttons_keys_and_scrubber_step(page, screenshots):
    last = page.frames_there - 1
    assert last >= 3 and frame(page) == 0
    page.click("#step")
    page.click("#step")
    assert frame(page) == 2
    page.screenshot(path=screenshots / "saved_page.png")
    page.click("#back")
    assert frame(page) == 1
    page.keyboard.press("End")
    assert frame(page) == last
    page.keyboard.press("ArrowRight")
    assert frame(page) == last
    page.keyboard.press("Home")
    page.keyboard.press("ArrowLeft")
    assert frame(page) == 0
    page.locator("#scrubber").fill("2")
    assert frame(page) == 2
    page.click("#reset")
    assert frame(page) == 0
    assert page.wrong == []
    assert {url.split(":")[0] for url in page.asked} <= {"file", "data"}


def test_it_runs_pauses_and_starts_again_from_the_end(page):
    page.click("#run")
    assert page.locator("#run").text_content() == "Pause"
    page.clock.run_for(1700)
    assert frame(page) == 2
    page.click("#run")
    here = frame(page)
    page.clock.run_for(5000)
    assert frame(page) == here and page.locator("#run").text_content() == "Run"
    page.click("#run")
    assert frame(page) == here
    page.keyboard.press("End")
    page.click("#run")
    assert frame(page) == 0
    page.click("#step")
    assert frame(page) == 1 and page.locator("#run").text_content() == "Run"
