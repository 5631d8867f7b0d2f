"use strict";
(() => {
  const { frames, start } = JSON.parse(document.getElementById("data").textContent);
  const at = (id) => document.getElementById(id);
  const last = frames.length - 1;
  let frame = start;
  let timer = null;

  function pause() {
    clearInterval(timer);
    timer = null;
    at("run").textContent = "Run";
  }

  function show(wanted) {
    frame = Math.max(0, Math.min(last, wanted));
    at("picture").src = frames[frame].picture;
    at("picture").alt = frames[frame].text;
    at("text").textContent = frames[frame].text;
    at("scrubber").value = frame;
    at("number").textContent = `${frame} of ${last}`;
  }

  function go(wanted) {
    pause();
    show(wanted);
  }

  function run() {
    // a page whose frames do not run by themselves hides the button; its key does nothing then
    if (at("run").hidden) return;
    if (timer !== null) {
      pause();
      return;
    }
    if (frame === last) show(0);
    at("run").textContent = "Pause";
    timer = setInterval(() => {
      show(frame + 1);
      if (frame === last) pause();
    }, 800);
  }

  at("back").addEventListener("click", () => go(frame - 1));
  at("step").addEventListener("click", () => go(frame + 1));
  at("run").addEventListener("click", run);
  at("reset").addEventListener("click", () => go(0));
  at("scrubber").addEventListener("input", (event) => go(Number(event.target.value)));
  document.addEventListener("keydown", (event) => {
    // the slider has arrow keys of its own, and space presses a button that has the focus
    const own = event.target.matches("input") || (event.key === " " && event.target.matches("button"));
    if (own || event.ctrlKey || event.metaKey || event.altKey) return;
    const keys = {
      ArrowRight: () => go(frame + 1),
      ArrowLeft: () => go(frame - 1),
      Home: () => go(0),
      End: () => go(last),
      " ": run,
    };
    if (event.key in keys) {
      event.preventDefault();
      keys[event.key]();
    }
  });
  show(start);
})();
