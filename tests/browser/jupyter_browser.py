"""Operate JupyterLab in a real browser: open, run all cells, press, slide, read.

`Server` is a JupyterLab, `BrowserServer` a Chromium to which several processes connect, `Notebook`
a page that shows one notebook, `Widget` one widget in it. `Notebook.problems` collects everything
that a reader could see going wrong.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import nbformat

from annlab._authoring.normalising import KERNELSPEC, LANGUAGE
from annlab._cli.lab import lab_command

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
CHROMIUM_ARGUMENTS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
VIEWPORT = {"width": 1400, "height": 1000}
#: Longest wait for a condition on a busy machine.
PATIENCE_S = 120.0

_PANEL = "window.jupyterapp.shell.currentWidget"
_CODE_CELLS = f"""() => [...{_PANEL}.content.model.cells]
    .filter(cell => cell.type === 'code')
    .map(cell => ({{
        source: cell.sharedModel.getSource(),
        execution_count: cell.executionCount,
        outputs: [...Array(cell.outputs.length).keys()].map(i => cell.outputs.get(i).toJSON()),
    }}))"""
_PROBLEMS_SEEN = """() => [
    ...[...document.querySelectorAll('.jp-Dialog')].map(e => 'dialog: ' + e.innerText),
    ...[...document.querySelectorAll('.Toastify__toast')].map(e => 'banner: ' + e.innerText),
    ...[...document.querySelectorAll('.jupyter-widgets-error-widget, .jp-RenderedError')]
        .map(e => 'widget: ' + e.innerText),
    ...[...document.querySelectorAll('.jp-OutputArea-output')]
        .filter(e => /^(Loading widget|Error displaying widget|Error creating widget)/
            .test(e.innerText.trim()))
        .map(e => 'widget: ' + e.innerText),
]"""


def find_chromium() -> str | None:
    """Return a Chromium or Chrome; ``ANNLAB_CHROMIUM`` names one that is not on the path."""
    named = os.environ.get("ANNLAB_CHROMIUM")
    return named or next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells for a test."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in cells],
        metadata={"kernelspec": KERNELSPEC, "language_info": LANGUAGE},
    )
    nbformat.write(notebook, path)
    return path


class Process:
    """A program that runs until `stop`; its output is kept in a file."""

    def __init__(self, command: list[str], log: Path, environment: dict[str, str]) -> None:
        self.path = log
        self._log = log.open("w")
        self._process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def log(self) -> str:
        """Return the output so far."""
        return self.path.read_text()

    def wait_until(self, ready: Callable[[], Any], what: str) -> Any:
        """Wait until ``ready()`` returns something true, and return it."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self._process.poll() is None:
            found = ready()
            if found:
                return found
            time.sleep(0.1)
        log = self.log()
        self.stop()
        raise RuntimeError(f"{what} did not start:\n{log}")

    def stop(self) -> None:
        """End the program and, through it, those that it started."""
        self._process.terminate()
        try:
            self._process.wait(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


class Server(Process):
    """A JupyterLab on loopback in ``folder``, with ``private`` in place of the user's settings."""

    def __init__(self, folder: Path, private: Path) -> None:
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command, environment = lab_command(
            folder,
            page=None,
            arguments=(
                "--no-browser",
                "--expose-app-in-browser",
                "--ServerApp.ip=127.0.0.1",
                f"--ServerApp.port={port}",
                "--ServerApp.port_retries=0",
                "--IdentityProvider.token=",
            ),
        )
        environment |= {
            "JUPYTER_CONFIG_DIR": str(private / "config"),
            "JUPYTER_RUNTIME_DIR": str(private / "runtime"),
            "IPYTHONDIR": str(private / "ipython"),
        }
        super().__init__(command, private / "server.log", environment)
        self.wait_until(self._answers, "JupyterLab")

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"{self.url}/api/status", timeout=5).close()
            return True
        return False


class BrowserServer(Process):
    """A headless Chromium; Playwright's ``chromium.connect(address)`` opens windows in it."""

    def __init__(self, chromium: str, private: Path) -> None:
        arguments = list(CHROMIUM_ARGUMENTS)
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            arguments.append("--no-sandbox")
        config = private / "chromium.json"
        config.write_text(json.dumps({"executablePath": chromium, "args": arguments}))
        command = [sys.executable, "-m", "playwright", "launch-server", "--browser", "chromium"]
        command += ["--config", str(config)]
        super().__init__(command, private / "chromium.log", dict(os.environ))
        self.address = self.wait_until(
            lambda: next((line for line in self.log().split() if line.startswith("ws://")), ""),
            "Chromium",
        )


class Notebook:
    """A notebook open in JupyterLab, on a page of its own."""

    def __init__(self, page: Any, url: str, name: str) -> None:
        self.page, self.name = page, name
        self._console: list[str] = []
        page.set_default_timeout(PATIENCE_S * 1000)
        page.on("pageerror", lambda error: self._console.append(f"exception: {error}"))
        page.on("console", self._hear)
        page.goto(f"{url}/lab/tree/{name}?reset")
        page.wait_for_function(
            f"""name => window.jupyterapp && {_PANEL}?.context?.path === name
                && {_PANEL}.context.isReady && {_PANEL}.sessionContext.isReady
                && {_PANEL}.sessionContext.session?.kernel?.status === 'idle'""",
            arg=name,
        )

    def _hear(self, message: Any) -> None:
        # failed network requests of the page are not the notebook's errors
        if message.type == "error" and "Failed to load resource" not in message.text:
            self._console.append(f"console: {message.text}")

    def run_all(self, timeout_s: float = 120.0) -> None:
        """Run every cell from the top and wait until the kernel is idle again."""
        self.page.evaluate(
            """() => {
                window.annlabRan = null;
                window.jupyterapp.commands.execute('notebook:run-all-cells').then(
                    () => { window.annlabRan = 'done'; },
                    reason => { window.annlabRan = String(reason); });
            }"""
        )
        self.page.wait_for_function("window.annlabRan !== null", timeout=timeout_s * 1000)
        assert self.page.evaluate("window.annlabRan") == "done"
        self.wait_idle()

    def wait_idle(self, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the kernel has nothing to do."""
        self.page.wait_for_function(
            f"{_PANEL}.sessionContext.session.kernel.status === 'idle'", timeout=timeout_s * 1000
        )

    def holds(self, condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> bool:
        """Wait until a condition holds, and tell whether it does."""
        deadline = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > deadline:
                return False
            self.page.wait_for_timeout(20)
        return True

    def wait_until(self, condition: Callable[[], Any], otherwise: str) -> None:
        """Wait until a condition holds, and fail if it never does."""
        assert self.holds(condition), f"{otherwise} within {PATIENCE_S:g} s"

    def round_trip(self) -> None:
        """Wait until the kernel has answered, and the page has drawn what it sent before."""
        self.page.evaluate(
            f"""async () => {{
                await {_PANEL}.sessionContext.session.kernel.requestKernelInfo();
                const drawn = () => new Promise(requestAnimationFrame);
                await drawn();
                await drawn();
            }}"""
        )

    def cells(self) -> list[dict[str, Any]]:
        """Return the code cells with sources, execution counts and outputs."""
        return list(self.page.evaluate(_CODE_CELLS))

    def problems(self) -> list[str]:
        """Return visible problems: errors, warnings, dialogs, dead widgets."""
        found = []
        for number, cell in enumerate(self.cells(), 1):
            for output in cell["outputs"]:
                if output["output_type"] == "error":
                    found.append(f"code cell {number}: {output['ename']}: {output['evalue']}")
                elif output["output_type"] == "stream" and output["name"] == "stderr":
                    found.append(f"code cell {number} wrote to stderr: {output['text']}")
        return found + list(self.page.evaluate(_PROBLEMS_SEEN)) + self._console

    def not_executed(self) -> list[int]:
        """Return the numbers of the code cells that have no execution count."""
        return [
            number
            for number, cell in enumerate(self.cells(), 1)
            if cell["source"].strip() and cell["execution_count"] is None
        ]

    def widget(self, selector: str = ".annlab-explorer", number: int = 0) -> Widget:
        """Return the widget that a CSS selector finds in the outputs, scrolled into view."""
        found = self.page.locator(f".jp-OutputArea-output {selector}").nth(number)
        found.wait_for(state="attached")
        widget = Widget(self, found)
        widget.show()
        return widget

    def drag(self, start: Sequence[float], dx: float, dy: float) -> None:
        """Drag with the mouse from a pixel of the window."""
        x, y = start
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.mouse.move(x + dx, y + dy, steps=10)
        self.page.mouse.up()

    def screenshot(self, path: Path) -> Path:
        """Save a picture of the whole window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)
        return path

    def close(self) -> None:
        """End the kernel and close the page."""
        with contextlib.suppress(Exception):
            self.page.evaluate(f"{_PANEL}.sessionContext.shutdown()")
        self.page.close()


@contextlib.contextmanager
def opened(browser: Any, url: str, name: str, **context: Any) -> Iterator[Notebook]:
    """Open a notebook in a browser window that remembers nothing, and close both.

    ``context`` is for Playwright's ``new_context``: another ``viewport``, say.
    """
    surroundings = browser.new_context(**{"viewport": VIEWPORT, **context})
    try:
        notebook = Notebook(surroundings.new_page(), url, name)
        yield notebook
        notebook.close()
    finally:
        surroundings.close()


class Widget:
    """A widget in the page: its controls by their labels, its picture, its sentence."""

    def __init__(self, notebook: Notebook, locator: Any) -> None:
        self.notebook, self.locator, self.page = notebook, locator, notebook.page

    def show(self) -> None:
        """Scroll the widget to the middle of the window and wait until it stays there.

        JupyterLab gives cells their true height only when they come near the window, so the page
        moves while it is scrolled.
        """
        last, same = None, 0

        def stays() -> bool:
            nonlocal last, same
            now = self.locator.evaluate(
                """element => {
                    element.scrollIntoView({block: 'center'});
                    const box = element.getBoundingClientRect();
                    return [box.x, box.y, box.width, box.height];
                }"""
            )
            last, same = now, same + 1 if now == last else 0
            return same == 5

        self.notebook.wait_until(stays, "the page did not stay where it was scrolled to")

    # ------------------------------------------------------------------------------ read

    def sentence(self, selector: str = ".annlab-sentence") -> str:
        """Return the sentence, also if the cell is not in the window."""
        return str(self.locator.locator(selector).first.text_content())

    def picture(self, number: int = 0) -> bytes:
        """Return the picture as the browser has it, of a canvas if there is one."""
        canvas = self.locator.locator(".annlab-canvas canvas").nth(number)
        if canvas.count():
            return base64.b64decode(canvas.evaluate("canvas => canvas.toDataURL().split(',')[1]"))
        image = self.locator.locator("img").nth(number)
        image.wait_for(state="attached")
        encoded = image.evaluate(
            """async img => {
                // a picture that is replaced while it is decoded is refused: the next one then
                for (let tries = 0; ; tries++) {
                    try { await img.decode(); break; } catch (reason) {
                        if (tries === 20) throw reason;
                        await new Promise(go => setTimeout(go, 50));
                    }
                }
                const bytes = new Uint8Array(await (await fetch(img.src)).arrayBuffer());
                let text = '';
                for (const byte of bytes) text += String.fromCharCode(byte);
                return btoa(text);
            }"""
        )
        return base64.b64decode(encoded)

    def buttons(self) -> list[str]:
        """Return the labels of the buttons."""
        return [text.strip() for text in self.locator.locator("button").all_text_contents()]

    # ------------------------------------------------------------------------------ act

    def press(self, label: str) -> None:
        """Click the button of that label."""
        self.locator.get_by_role("button", name=label, exact=True).click()

    def slider(self, label: str) -> Any:
        """Return the slider whose label begins with ``label``."""
        return self.locator.locator(".widget-slider, .widget-hslider").filter(
            has=self.page.locator(".widget-label", has_text=label)
        )

    def slide(self, label: str, share: float) -> None:
        """Drag a slider's handle with the mouse to a share (0 to 1) of its length."""
        slider = self.slider(label)
        slider.scroll_into_view_if_needed()
        handle = slider.locator(".noUi-handle").bounding_box()
        track = slider.locator(".noUi-base").bounding_box()
        assert handle is not None and track is not None, f"the slider {label!r} is not visible"
        x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
        self.notebook.drag((x, y), track["x"] + share * track["width"] - x, 0)

    def press_key(self, label: str, key: str) -> None:
        """Press a key, such as ``ArrowRight``, on a slider's handle."""
        self.slider(label).locator(".noUi-handle").press(key)

    def choose(self, label: str, option: str) -> None:
        """Choose an option of the drop-down list of that label."""
        self.locator.get_by_label(label, exact=True).select_option(label=option)

    def wait_for_sentence(self, beginning: str) -> str:
        """Wait until the sentence begins like this, and return it."""
        self.notebook.wait_until(
            lambda: self.sentence().startswith(beginning), f"no sentence began with {beginning!r}"
        )
        return self.sentence()

    @contextlib.contextmanager
    def changes(self) -> Iterator[None]:
        """Assert that the block changes both the picture and the sentence."""
        picture, sentence = self.picture(), self.sentence()
        yield
        wait = self.notebook.wait_until
        wait(lambda: self.sentence() != sentence, f"the sentence {sentence!r} did not change")
        wait(lambda: self.picture() != picture, "the picture did not change")

    def settle(self) -> None:
        """Wait until picture and sentence stay the same while the kernel answers."""

        def rests() -> bool:
            before = self.picture(), self.sentence()
            self.notebook.round_trip()
            return before == (self.picture(), self.sentence())

        self.notebook.wait_until(rests, "the widget did not come to rest")

    def screenshot(self, path: Path) -> Path:
        """Save a picture of the widget alone."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.locator.screenshot(path=path)
        return path
