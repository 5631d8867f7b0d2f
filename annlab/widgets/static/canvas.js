// The canvas that centroid_canvas, graph_walk and outlier_sandbox share.
//
// Python sends a `scene` (panels of layers, in data coordinates) and gets back `value`, the
// positions of the handles, with `edit`, the number of the reader's latest change. The scene
// carries the number that it answers; until the latest change is answered, the positions and the
// selection here are what counts, however long the kernel is busy. Nothing is computed here: this
// file draws, and turns pointer and keys into positions. The scene's form is described in
// annlab/widgets/base/scene.py.

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const GRAB_PX = 18;
const DOUBLE_MS = 400;
const GLIDE_MS = 220;

// ---------------------------------------------------------------- colours of the theme

function isDark(element) {
  const paper = getComputedStyle(element).getPropertyValue("--jp-layout-color0").trim();
  const parts = paper && rgb(paper);
  if (parts) return parts[0] + parts[1] + parts[2] < 384;
  return window.matchMedia("(prefers-color-scheme: dark)").matches;
}

function rgb(text) {
  const long = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text);
  if (long) return long.slice(1).map((part) => parseInt(part, 16));
  const short = /^#([0-9a-f])([0-9a-f])([0-9a-f])$/i.exec(text);
  if (short) return short.slice(1).map((part) => parseInt(part + part, 16));
  if (/^white$/i.test(text)) return [255, 255, 255];
  const numbers = text.match(/\d+(\.\d+)?/g);
  return numbers && numbers.length >= 3 ? numbers.slice(0, 3).map(Number) : null;
}

const LIGHT = { ink: "#1a1a1a", quiet: "#6b6b6b", paper: "#ffffff", line: "#c8c8c8" };
const DARK = { ink: "#f2f2f2", quiet: "#a8a8a8", paper: "#111111", line: "#4d4d4d" };

// Roles follow the theme. The palette's black is ink: on a dark page it would vanish.
function colour(theme, name) {
  if (name === "#000000") return theme.ink;
  return theme[name] || name;
}

// ---------------------------------------------------------------- markers

function tracePolygon(ctx, x, y, r, corners) {
  ctx.moveTo(x + r * corners[0][0], y + r * corners[0][1]);
  for (const [dx, dy] of corners.slice(1)) ctx.lineTo(x + r * dx, y + r * dy);
  ctx.closePath();
}

const CORNERS = {
  s: [[-0.88, -0.88], [0.88, -0.88], [0.88, 0.88], [-0.88, 0.88]],
  "^": [[0, -1.12], [1.05, 0.82], [-1.05, 0.82]],
  v: [[0, 1.12], [1.05, -0.82], [-1.05, -0.82]],
  D: [[0, -1.2], [1.2, 0], [0, 1.2], [-1.2, 0]],
  P: [[-0.36, -1], [0.36, -1], [0.36, -0.36], [1, -0.36], [1, 0.36], [0.36, 0.36], [0.36, 1],
    [-0.36, 1], [-0.36, 0.36], [-1, 0.36], [-1, -0.36], [-0.36, -0.36]],
  X: [[-1, -0.5], [-0.5, -1], [0, -0.5], [0.5, -1], [1, -0.5], [0.5, 0], [1, 0.5], [0.5, 1],
    [0, 0.5], [-0.5, 1], [-1, 0.5], [-0.5, 0]],
  "*": Array.from({ length: 10 }, (_, i) => {
    const r = i % 2 ? 0.52 : 1.3;
    const a = (Math.PI * i) / 5 - Math.PI / 2;
    return [r * Math.cos(a), r * Math.sin(a)];
  }),
};

function traceMarker(ctx, marker, x, y, r) {
  if (CORNERS[marker]) tracePolygon(ctx, x, y, r, CORNERS[marker]);
  else {
    ctx.moveTo(x + r, y);
    ctx.arc(x, y, r, 0, 2 * Math.PI);
  }
}

function traceCross(ctx, marker, x, y, r) {
  const d = marker === "x" ? 0.8 * r : 0;
  if (marker === "x") {
    ctx.moveTo(x - d, y - d);
    ctx.lineTo(x + d, y + d);
    ctx.moveTo(x - d, y + d);
    ctx.lineTo(x + d, y - d);
  } else {
    ctx.moveTo(x - r, y);
    ctx.lineTo(x + r, y);
    ctx.moveTo(x, y - r);
    ctx.lineTo(x, y + r);
  }
}

const isLineMarker = (marker) => marker === "x" || marker === "+";

// ---------------------------------------------------------------- panels and layers

function projection(panel) {
  const [left, top, width, height] = panel.rect;
  const [x0, x1, y0, y1] = panel.bounds;
  return {
    x: (value) => left + ((value - x0) / (x1 - x0)) * width,
    y: (value) => top + height - ((value - y0) / (y1 - y0)) * height,
    r: (value) => (value / (x1 - x0)) * width,
    toData: (px, py) => [
      x0 + ((px - left) / width) * (x1 - x0),
      y0 + ((top + height - py) / height) * (y1 - y0),
    ],
    contains: (px, py) => px >= left && px <= left + width && py >= top && py <= top + height,
  };
}

const each = (value, index) => (Array.isArray(value) ? value[index] : value);

function drawText(ctx, theme, text, x, y, options = {}) {
  ctx.font = `${options.bold ? "600 " : ""}${options.size || 14}px ${FONT}`;
  ctx.textAlign = options.align || "left";
  ctx.textBaseline = options.baseline || "middle";
  if (options.halo) {
    ctx.strokeStyle = theme.paper;
    ctx.lineWidth = 4;
    ctx.lineJoin = "round";
    ctx.strokeText(text, x, y);
  }
  ctx.fillStyle = colour(theme, options.color || "ink");
  ctx.fillText(text, x, y);
}

function drawArrowHead(ctx, x1, y1, x2, y2, size) {
  const length = Math.hypot(x2 - x1, y2 - y1);
  if (length < 2) return;
  const reach = Math.min(size, length);
  const ux = (x2 - x1) / length;
  const uy = (y2 - y1) / length;
  ctx.beginPath();
  ctx.moveTo(x2, y2);
  ctx.lineTo(x2 - reach * ux - 0.45 * reach * uy, y2 - reach * uy + 0.45 * reach * ux);
  ctx.lineTo(x2 - reach * ux + 0.45 * reach * uy, y2 - reach * uy - 0.45 * reach * ux);
  ctx.closePath();
  ctx.fill();
}

const LAYERS = {
  points(ctx, theme, at, layer, look) {
    const edge = layer.edge && colour(theme, layer.edge);
    layer.x.forEach((value, i) => {
      const marker = each(layer.marker, i) || "o";
      const fill = colour(theme, each(layer.color, i));
      const r = each(layer.size, i) * look.lines;
      const x = at.x(value);
      const y = at.y(layer.y[i]);
      ctx.globalAlpha = each(layer.alpha, i);
      ctx.beginPath();
      if (isLineMarker(marker)) {
        traceCross(ctx, marker, x, y, r);
        ctx.strokeStyle = fill;
        ctx.lineWidth = (layer.cross_width || layer.width || 2) * look.lines;
        ctx.stroke();
        return;
      }
      traceMarker(ctx, marker, x, y, r);
      if (layer.hollow) {
        ctx.strokeStyle = fill;
        ctx.lineWidth = (layer.width || 2) * look.lines;
        ctx.stroke();
        return;
      }
      ctx.fillStyle = fill;
      ctx.fill();
      if (edge) {
        ctx.strokeStyle = edge;
        ctx.lineWidth = (layer.width || 0.7) * look.lines;
        ctx.stroke();
      }
    });
    ctx.globalAlpha = 1;
  },
  segments(ctx, theme, at, layer, look) {
    ctx.strokeStyle = ctx.fillStyle = colour(theme, layer.color);
    ctx.lineWidth = layer.width * look.lines;
    ctx.globalAlpha = layer.alpha;
    ctx.setLineDash(layer.dash || []);
    ctx.beginPath();
    for (const [x1, y1, x2, y2] of layer.ends) {
      ctx.moveTo(at.x(x1), at.y(y1));
      ctx.lineTo(at.x(x2), at.y(y2));
    }
    ctx.stroke();
    ctx.setLineDash([]);
    if (layer.arrow) {
      for (const [x1, y1, x2, y2] of layer.ends) {
        const size = (6 + 2 * layer.width) * look.lines;
        drawArrowHead(ctx, at.x(x1), at.y(y1), at.x(x2), at.y(y2), size);
      }
    }
    ctx.globalAlpha = 1;
  },
  path(ctx, theme, at, layer, look) {
    ctx.strokeStyle = colour(theme, layer.color);
    ctx.lineWidth = layer.width * look.lines;
    ctx.globalAlpha = layer.alpha;
    ctx.lineJoin = "round";
    ctx.setLineDash(layer.dash || []);
    ctx.beginPath();
    layer.x.forEach((value, i) => {
      if (i) ctx.lineTo(at.x(value), at.y(layer.y[i]));
      else ctx.moveTo(at.x(value), at.y(layer.y[i]));
    });
    ctx.stroke();
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
  },
  circles(ctx, theme, at, layer, look) {
    layer.x.forEach((value, i) => {
      ctx.beginPath();
      ctx.arc(at.x(value), at.y(layer.y[i]), at.r(each(layer.r, i)), 0, 2 * Math.PI);
      ctx.globalAlpha = layer.alpha;
      ctx.setLineDash(layer.dash || []);
      ctx.lineWidth = layer.width * look.lines;
      ctx.strokeStyle = colour(theme, each(layer.color, i));
      ctx.stroke();
    });
    ctx.setLineDash([]);
    ctx.globalAlpha = 1;
  },
  texts(ctx, theme, at, layer, look) {
    layer.text.forEach((text, i) => {
      drawText(ctx, theme, text, at.x(layer.x[i]) + (layer.dx || 0), at.y(layer.y[i]) - (layer.dy || 0), {
        size: 14 * look.text,
        color: each(layer.color, i),
        align: layer.align,
        bold: layer.bold,
        halo: true,
      });
    });
  },
};

function drawPanel(ctx, theme, panel, look) {
  const [left, top, width, height] = panel.rect;
  const at = projection(panel);
  const size = 14 * look.text;
  if (panel.grid) {
    ctx.strokeStyle = theme.line;
    ctx.lineWidth = 0.6;
    ctx.beginPath();
    for (const [place] of panel.yticks || []) {
      ctx.moveTo(left, at.y(place));
      ctx.lineTo(left + width, at.y(place));
    }
    ctx.stroke();
  }
  ctx.save();
  ctx.beginPath();
  ctx.rect(left - 1, top - 1, width + 2, height + 2);
  ctx.clip();
  for (const layer of panel.layers) LAYERS[layer.type](ctx, theme, at, layer, look);
  ctx.restore();
  ctx.strokeStyle = theme.line;
  ctx.lineWidth = 1;
  if (panel.axes) {
    ctx.beginPath();
    ctx.moveTo(left, top);
    ctx.lineTo(left, top + height);
    ctx.lineTo(left + width, top + height);
    ctx.stroke();
  } else if (!panel.bare) {
    if (panel.active) {
      ctx.strokeStyle = theme.ink;
      ctx.lineWidth = 2.5 * look.lines;
    }
    ctx.strokeRect(left - 0.5, top - 0.5, width + 1, height + 1);
  }
  if (panel.title) drawText(ctx, theme, panel.title, left, top - 12, { size, bold: true });
  for (const [place, text] of panel.xticks || []) {
    drawText(ctx, theme, text, at.x(place), top + height + 12, { size, align: "center", color: "quiet" });
  }
  for (const [place, text] of panel.yticks || []) {
    drawText(ctx, theme, text, left - 7, at.y(place), { size, align: "right", color: "quiet" });
  }
  if (panel.xlabel) {
    const y = top + height + (panel.xticks && panel.xticks.length ? 31 : 14);
    drawText(ctx, theme, panel.xlabel, left + width / 2, y, { size, align: "center" });
  }
}

// ---------------------------------------------------------------- handles

// White or black, whichever is read more easily on the fill.
function onFill(fill) {
  const parts = rgb(fill);
  if (!parts) return "#000000";
  return 0.3 * parts[0] + 0.59 * parts[1] + 0.11 * parts[2] < 140 ? "#ffffff" : "#000000";
}

function drawHandles(ctx, theme, scene, positions, selected, focused, look) {
  const { handles } = scene;
  const panel = scene.panels[handles.panel];
  const at = projection(panel);
  positions.forEach(([dx, dy], i) => {
    const x = at.x(dx);
    const y = at.y(dy);
    const marker = each(handles.marker, i) || "o";
    const fill = colour(theme, each(handles.color, i) || "ink");
    const r = handles.size * look.lines;
    if (i === selected) {
      ctx.beginPath();
      ctx.arc(x, y, r + 6 * look.lines, 0, 2 * Math.PI);
      ctx.strokeStyle = theme.ink;
      ctx.lineWidth = (focused ? 3 : 1.5) * look.lines;
      ctx.stroke();
    }
    ctx.beginPath();
    if (isLineMarker(marker)) {
      traceCross(ctx, marker, x, y, r);
      ctx.lineCap = "round";
      ctx.strokeStyle = theme.paper;
      ctx.lineWidth = 7 * look.lines;
      ctx.stroke();
      ctx.strokeStyle = fill;
      ctx.lineWidth = 3.5 * look.lines;
      ctx.stroke();
      ctx.lineCap = "butt";
    } else {
      traceMarker(ctx, marker, x, y, r);
      ctx.strokeStyle = theme.paper;
      ctx.lineWidth = 5 * look.lines;
      ctx.stroke();
      ctx.fillStyle = fill;
      ctx.fill();
      ctx.strokeStyle = theme.ink;
      ctx.lineWidth = 2 * look.lines;
      ctx.stroke();
    }
    const text = handles.text && handles.text[i];
    if (text) {
      ctx.font = `600 ${Math.round(1.25 * r)}px ${FONT}`;
      ctx.textAlign = "center";
      ctx.textBaseline = "middle";
      ctx.fillStyle = onFill(fill);
      ctx.fillText(text, x, y + 0.5);
    }
  });
}

// ---------------------------------------------------------------- the view

function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "annlab-canvas";
  // where JupyterLab sees keys before the page does, its shortcuts (arrows, Enter, d d) would take
  // them away; elsewhere stopping the event is enough
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  const canvas = document.createElement("canvas");
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-roledescription", "picture with points that you can move");
  const live = document.createElement("div");
  live.className = "annlab-canvas-live";
  live.setAttribute("role", "status");
  const hint = document.createElement("div");
  hint.className = "annlab-canvas-hint";
  root.append(canvas, hint, live);
  el.append(root);

  const ctx = canvas.getContext("2d");
  let scene = model.get("scene");
  let selected = -1;
  let focused = false;
  let dragging = null; // {index, start: [px, py], moved, existed}
  let pending = null; // {edit, xy} of the latest change, until Python has answered it
  let glide = null; // {from, to, begin}
  let lastClick = { time: 0, index: -1 };
  let drawing = 0;
  let frames = 0;

  const reduced = window.matchMedia("(prefers-reduced-motion: reduce)");
  const look = () => model.get("look");
  const handles = () => (scene && scene.handles) || null;
  const positions = () => (pending ? pending.xy : handles() ? handles().xy : []);

  function shown(now) {
    if (pending || !glide) return positions();
    const t = Math.min(1, (now - glide.begin) / GLIDE_MS);
    const ease = t * (2 - t);
    if (t >= 1) {
      glide = null;
      return positions();
    }
    return glide.to.map(([x, y], i) => {
      const [fx, fy] = glide.from[i];
      return [fx + ease * (x - fx), fy + ease * (y - fy)];
    });
  }

  function draw(now) {
    drawing = 0;
    if (!scene || !scene.panels) return;
    const [width, height] = scene.size;
    const zoom = look().size;
    const ratio = Math.max(1, window.devicePixelRatio || 1) * zoom;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width * zoom}px`;
      canvas.style.aspectRatio = `${width} / ${height}`;
    }
    const dark = isDark(root);
    const theme = dark ? DARK : LIGHT;
    root.classList.toggle("annlab-dark", dark);
    ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
    ctx.fillStyle = theme.paper;
    ctx.fillRect(0, 0, width, height);
    for (const panel of scene.panels) drawPanel(ctx, theme, panel, look());
    if (handles()) {
      drawHandles(ctx, theme, scene, shown(now), selected, focused, look());
      if (glide) schedule();
    }
    frames += 1;
    canvas.dataset.frames = String(frames);
    canvas.dataset.handles = JSON.stringify(positions());
    canvas.dataset.places = JSON.stringify(handles() ? positions().map(toPixel) : []);
    canvas.dataset.selected = String(selected);
    canvas.dataset.pending = pending ? String(pending.edit) : "";
  }

  function toPixel([x, y]) {
    const at = projection(scene.panels[handles().panel]);
    return [at.x(x), at.y(y)];
  }

  function schedule() {
    if (!drawing) drawing = requestAnimationFrame(draw);
  }

  // -------------------------------------------------------------- talking to Python

  const round = (value) => Number(value.toPrecision(5));

  function clamp([x, y]) {
    const [x0, x1, y0, y1] = scene.panels[handles().panel].bounds;
    return [round(Math.min(x1, Math.max(x0, x))), round(Math.min(y1, Math.max(y0, y)))];
  }

  // Say a change to Python; false where no kernel is connected, so that no answer would come.
  function send(next) {
    glide = null;
    schedule();
    if (root.closest(".jupyter-widgets-disconnected")) {
      pending = null;
      say("No kernel is connected, so nothing can be moved.");
      return false;
    }
    // the number lives in the model, which all views of this canvas share
    pending = { edit: model.get("edit") + 1, xy: next };
    model.set("value", next);
    model.set("edit", pending.edit);
    // one message at a time: changes made meanwhile travel together, with the last one's number
    model.save_changes();
    return true;
  }

  const same = (a, b) =>
    a.length === b.length && a.every(([x, y], i) => x === b[i][0] && y === b[i][1]);

  function onScene() {
    const before = handles() ? handles().xy : [];
    scene = model.get("scene");
    hint.textContent = scene.hint || "";
    hint.style.width = `${scene.size[0] * look().size}px`;
    hint.style.fontSize = `${14 * look().size * look().text}px`;
    canvas.setAttribute("aria-label", scene.sentence || "");
    if (handles()) {
      const after = handles().xy;
      if (pending && scene.edit >= pending.edit) {
        pending = null;
      } else if (!pending && before.length === after.length && !same(before, after)) {
        const moves = !reduced.matches && handles().glide;
        glide = moves ? { from: before, to: after, begin: performance.now() } : null;
      }
      if (selected >= positions().length) selected = positions().length - 1;
    }
    schedule();
  }

  let sayTimer = 0;
  function say(text) {
    // a reader of the screen is not interrupted by every pixel of a drag
    clearTimeout(sayTimer);
    sayTimer = setTimeout(() => {
      live.textContent = text;
    }, 250);
  }

  function name(index) {
    const one = handles().name || "point";
    const [x, y] = positions()[index];
    return `${one} ${index + 1} of ${positions().length}, x ${Number(x.toPrecision(3))}, y ${Number(y.toPrecision(3))}`;
  }

  function select(index) {
    selected = index;
    if (index >= 0) say(name(index));
    schedule();
  }

  function move(index, place) {
    const next = positions().map((point) => [...point]);
    next[index] = clamp(place);
    if (send(next)) say(name(index));
  }

  function add(place) {
    const { max, name: one } = handles();
    if (positions().length >= max) {
      say(`No more than ${max} ${one}s.`);
      return;
    }
    const next = [...positions().map((point) => [...point]), clamp(place)];
    if (send(next)) select(next.length - 1);
  }

  function remove(index) {
    const { min, name: one } = handles();
    if (positions().length <= min) {
      say(`At least ${min} ${one}${min === 1 ? "" : "s"} must stay.`);
      return;
    }
    const next = positions().filter((_, i) => i !== index);
    if (!send(next)) return;
    selected = Math.min(index, next.length - 1);
    say(next.length ? `Removed. ${name(selected)}` : "Removed. None is left.");
  }

  // -------------------------------------------------------------- pointer

  function pixel(event) {
    const box = canvas.getBoundingClientRect();
    return [
      ((event.clientX - box.left) / box.width) * scene.size[0],
      ((event.clientY - box.top) / box.height) * scene.size[1],
    ];
  }

  function under([px, py]) {
    if (!handles()) return -1;
    const at = projection(scene.panels[handles().panel]);
    let best = -1;
    let reach = Math.max(GRAB_PX, handles().size * look().lines + 6);
    positions().forEach(([x, y], i) => {
      const distance = Math.hypot(at.x(x) - px, at.y(y) - py);
      // of two that overlap the later one is on top
      if (distance <= reach) {
        reach = distance;
        best = i;
      }
    });
    return best;
  }

  function inside([px, py]) {
    return handles() && projection(scene.panels[handles().panel]).contains(px, py);
  }

  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !handles()) return;
    const place = pixel(event);
    const index = under(place);
    canvas.focus({ preventScroll: true });
    if (index < 0 && !inside(place)) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    dragging = { index, start: place, moved: false };
    if (index >= 0) select(index);
    canvas.style.cursor = index >= 0 ? "grabbing" : "";
  });

  canvas.addEventListener("pointermove", (event) => {
    if (!handles()) return;
    const place = pixel(event);
    if (!dragging) {
      const free = handles().adds || handles().places;
      canvas.style.cursor = under(place) >= 0 ? "grab" : free && inside(place) ? "crosshair" : "default";
      return;
    }
    if (Math.hypot(place[0] - dragging.start[0], place[1] - dragging.start[1]) > 3) dragging.moved = true;
    if (dragging.index >= 0 && dragging.moved) {
      const at = projection(scene.panels[handles().panel]);
      move(dragging.index, at.toData(...place));
    }
  });

  canvas.addEventListener("pointerup", (event) => {
    if (!dragging) return;
    const { index, moved, start } = dragging;
    dragging = null;
    canvas.style.cursor = "";
    const now = performance.now();
    if (moved) {
      lastClick = { time: 0, index: -1 };
    } else if (index >= 0) {
      if (handles().removes && lastClick.index === index && now - lastClick.time < DOUBLE_MS) {
        lastClick = { time: 0, index: -1 };
        remove(index);
      } else {
        lastClick = { time: now, index };
      }
    } else {
      const at = projection(scene.panels[handles().panel]);
      lastClick = { time: 0, index: -1 };
      if (handles().adds) add(at.toData(...start));
      else if (handles().places) {
        select(Math.max(selected, 0));
        move(selected, at.toData(...start));
      }
    }
    schedule();
    event.preventDefault();
  });

  canvas.addEventListener("pointercancel", () => {
    dragging = null;
    schedule();
  });

  // -------------------------------------------------------------- keyboard

  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

  canvas.addEventListener("keydown", (event) => {
    if (!handles() || event.ctrlKey || event.metaKey || event.altKey) return;
    const count = positions().length;
    const panel = scene.panels[handles().panel];
    const [x0, x1, y0, y1] = panel.bounds;
    if (event.key === "Tab") {
      // past the last (or first) point the focus leaves, so the keyboard is never trapped
      const next = selected + (event.shiftKey ? -1 : 1);
      if (next < 0 || next >= count) return;
      select(next);
    } else if (ARROWS[event.key]) {
      if (!count) return;
      if (selected < 0) select(0);
      const step = (event.shiftKey ? 0.05 : 0.01) * (x1 - x0);
      const [dx, dy] = ARROWS[event.key];
      const [x, y] = positions()[selected];
      move(selected, [x + dx * step, y + dy * step]);
    } else if (event.key === "Enter" && handles().adds) {
      const near = selected >= 0 ? positions()[selected] : [(x0 + x1) / 2, (y0 + y1) / 2];
      const step = selected >= 0 ? 0.06 * (x1 - x0) : 0;
      // towards the middle, so that the new one never lands outside
      const away = near[0] < (x0 + x1) / 2 ? 1 : -1;
      add([near[0] + away * step, near[1]]);
    } else if ((event.key === "Delete" || event.key === "Backspace") && handles().removes) {
      if (selected >= 0) remove(selected);
    } else if (event.key === "Escape") {
      select(-1);
      say("Nothing is selected.");
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  });

  canvas.addEventListener("focus", () => {
    focused = true;
    if (selected < 0 && positions().length && !dragging && canvas.matches(":focus-visible")) select(0);
    schedule();
  });
  canvas.addEventListener("blur", () => {
    focused = false;
    schedule();
  });

  // -------------------------------------------------------------- life

  const watcher = new MutationObserver(schedule);
  watcher.observe(document.body, { attributes: true });
  const scheme = window.matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", schedule);
  window.addEventListener("resize", schedule);
  model.on("change:scene", onScene);
  model.on("change:look", onScene);
  if (scene && scene.size) onScene();

  return () => {
    watcher.disconnect();
    scheme.removeEventListener("change", schedule);
    window.removeEventListener("resize", schedule);
    model.off("change:scene", onScene);
    model.off("change:look", onScene);
    cancelAnimationFrame(drawing);
    clearTimeout(sayTimer);
  };
}

export default { render };
