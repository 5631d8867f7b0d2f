"""The first actions of a reader with any explorer."""

from __future__ import annotations

import json


class Operator:
    """Operates a widget by any of its controls."""

    def __init__(self, widget):
        self.widget, self.page, self.root = widget, widget.page, widget.locator

    def seen(self):
        """Return sentence and picture; of a map, which has no picture, sentence and fields."""
        if self.root.locator(".annlab-sentence").count():
            return self.widget.sentence(), self.widget.picture()
        return self.root.locator(".annlab-verdict").text_content(), self.root.inner_html()

    def actions(self):
        """Yield the actions in the order of readers."""
        canvas = self.root.locator(".annlab-canvas canvas")
        if canvas.count():
            yield lambda: self.drag(canvas.first)
        step = self.root.get_by_role("button", name="Step", exact=True)
        if step.count() and step.is_enabled():
            yield step.click
        sliders = self.root.locator(".noUi-handle")
        for number in range(sliders.count()):
            handle = sliders.nth(number)
            low, high, now = (
                float(handle.get_attribute(name))
                for name in ("aria-valuemin", "aria-valuemax", "aria-valuenow")
            )
            if handle.is_visible() and low < high:
                key = "ArrowRight" if now < high else "ArrowLeft"
                yield lambda handle=handle, key=key: handle.press(key)
        lists = self.root.locator("select:visible")
        for number in range(lists.count()):
            options = lists.nth(number).locator("option")
            if options.count() > 1 and lists.nth(number).is_enabled():
                yield lambda lists=lists, number=number: self.take(lists, number)
        boxes = self.root.locator("input[type=checkbox]:visible")
        for number in range(boxes.count()):
            yield boxes.nth(number).click

    def drag(self, canvas):
        """Drag the first handle to the middle of the canvas; click there if there is none."""
        box = canvas.bounding_box()
        places = json.loads(canvas.get_attribute("data-places") or "[]")
        middle = (box["x"] + 0.45 * box["width"], box["y"] + 0.4 * box["height"])
        if places:
            x, y = box["x"] + places[0][0], box["y"] + places[0][1]
            self.widget.notebook.drag((x, y), middle[0] - x, middle[1] - y)
        else:
            self.page.mouse.click(*middle)

    def take(self, lists, number):
        """Choose the option after the current one."""
        now = lists.nth(number).evaluate("list => list.selectedIndex")
        count = lists.nth(number).locator("option").count()
        lists.nth(number).select_option(index=(now + 1) % count)

    def operate(self):
        """Try the actions until one changes sentence and picture."""
        for act in self.actions():
            sentence, picture = self.seen()
            act()

            def changed(sentence=sentence, picture=picture):
                now = self.seen()
                return now[0] != sentence and now[1] != picture

            # slow computations may take this long; some controls change only the sentence
            if self.widget.notebook.holds(changed, 30.0):
                return
        raise AssertionError("no action changed sentence and picture")
