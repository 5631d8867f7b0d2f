// What ipywidgets leaves out for screen readers: the alternative text of the picture, regions that
// are read aloud when they change, the names of sliders, and the value (not the index) of a slider
// over given options.

function set(element, name, text) {
  if (element && text && element.getAttribute(name) !== text) element.setAttribute(name, text);
}

function render({ model, el }) {
  let root = null;
  let timer = 0;

  function dress() {
    if (!root) return;
    for (const image of root.querySelectorAll("img.widget-image")) set(image, "alt", model.get("alt"));
    for (const region of root.querySelectorAll(".annlab-status")) set(region, "role", "status");
    for (const region of root.querySelectorAll(".annlab-alert")) set(region, "role", "alert");
    for (const slider of root.querySelectorAll(".widget-slider")) {
      const handle = slider.querySelector(".noUi-handle");
      const text = (part) => slider.querySelector(part)?.textContent.trim();
      set(handle, "aria-label", text(".widget-label"));
      set(handle, "aria-valuetext", text(".widget-readout"));
    }
  }

  const observer = new MutationObserver(dress);

  function attach() {
    root = el.closest(".annlab-explorer");
    if (!root) {
      // a view is rendered before it is put in its place
      timer = setTimeout(attach, 50);
      return;
    }
    const attributeFilter = ["aria-valuetext"];
    observer.observe(root, { subtree: true, childList: true, characterData: true, attributeFilter });
    dress();
  }

  attach();
  model.on("change:alt", dress);
  return () => {
    clearTimeout(timer);
    observer.disconnect();
    model.off("change:alt", dress);
  };
}

export default { render };
