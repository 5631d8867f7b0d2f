"""What a reader does first with an explorer, whatever its controls are."""

from __future__ import annotations

import json
import time

#: Seconds that an action may take before another one is tried.
_TRY_S = 30.0


class Operator:
    """Does to an explorer what a reader does first, whatever its controls are."""

    def __init__(self, widget):
        self.widget, self.page, self.root = widget, widget.page, widget.locator

    def seen(self):
        """Sentence and picture; of a map, which has no picture, the sentence and the fields."""
        if self.root.locator(".annlab-sentence").count():
            return self.widget.sentence(), self.widget.picture()
        return self.root.locator(".annlab-verdict").text_content(), self.root.inner_html()

    def actions(self):
        """Name and function of everything that may be tried, what readers do first coming first."""
        canvas = self.root.locator(".annlab-canvas canvas")
        if canvas.count():
            yield "drag", lambda: self.drag(canvas.first)
        step = self.root.get_by_role("button", name="Step", exact=True)
        if step.count() and step.is_enabled():
            yield "Step", step.click
        sliders = self.root.locator(".noUi-handle")
        for number in range(sliders.count()):
            handle = sliders.nth(number)
            low, high, now = (
                float(handle.get_attribute(name))
                for name in ("aria-valuemin", "aria-valuemax", "aria-valuenow")
            )
            if handle.is_visible() and low < high:
                key = "ArrowRight" if now < high else "ArrowLeft"
                yield f"slider {number}", lambda handle=handle, key=key: handle.press(key)
        lists = self.root.locator("select:visible")
        for number in range(lists.count()):
            options = lists.nth(number).locator("option")
            if options.count() > 1 and lists.nth(number).is_enabled():
                yield f"list {number}", lambda lists=lists, number=number: self.take(lists, number)
        boxes = self.root.locator("input[type=checkbox]:visible")
        for number in range(boxes.count()):
            yield f"box {number}", boxes.nth(number).click

    def drag(self, canvas):
        """Drag the first handle to the middle of the canvas; click there if there is none."""
        box = canvas.bounding_box()
        places = json.loads(canvas.get_attribute("data-places") or "[]")
        middle = (box["x"] + 0.45 * box["width"], box["y"] + 0.4 * box["height"])
        if not places:
            self.page.mouse.click(*middle)
            return
        self.page.mouse.move(box["x"] + places[0][0], box["y"] + places[0][1])
        self.page.mouse.down()
        self.page.mouse.move(*middle, steps=10)
        self.page.mouse.up()

    def take(self, lists, number):
        """Choose the option after the present one."""
        now = lists.nth(number).evaluate("list => list.selectedIndex")
        count = lists.nth(number).locator("option").count()
        lists.nth(number).select_option(index=(now + 1) % count)

    def operate(self):
        """Try the actions until one changes sentence and picture; its name and seconds."""
        tried = []
        for name, act in self.actions():
            before = self.seen()
            act()
            begin = time.monotonic()
            while time.monotonic() < begin + _TRY_S:
                now = self.seen()
                if now[0] != before[0] and now[1] != before[1]:
                    return name, time.monotonic() - begin
                self.page.wait_for_timeout(10)
            tried.append(name)
        raise AssertionError(f"nothing changed sentence and picture; tried {tried}")
