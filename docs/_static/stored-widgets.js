// Shows the widgets of a notebook from their stored states, without a kernel.
//
// The views are ipywidgets' own (jupyter-widgets.js, from the package widgetsnbextension, copied
// beside this file when the site is built). This file has what they need: a loader for their module
// format, and a manager that makes models from states and views from models. Explorers are shown as
// pictures and are not among them.
(function () {
  "use strict";

  const place = document.currentScript.src.replace(/[^/]*$/, "");
  const STATE = 'script[type="application/vnd.jupyter.widget-state+json"]';
  const VIEW = 'script[type="application/vnd.jupyter.widget-view+json"]';

  // ------------------------------------------------------------------------------- modules

  const modules = new Map();
  let declared = null;

  function define(...words) {
    // define([name,] [dependencies,] factory)
    const factory = words.pop();
    const needs = Array.isArray(words[words.length - 1]) ? words.pop() : [];
    declared = { needs, factory };
  }
  define.amd = {};

  function require(names, done) {
    const loaded = Promise.all(names.map((name) => modules.get(name)));
    return done ? loaded.then((values) => done(...values)) : loaded;
  }
  require.config = () => {};

  async function load(name, file) {
    await new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = place + file;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${file} could not be loaded`));
      document.head.append(script);
    });
    const { needs, factory } = declared;
    const values = await Promise.all(
      needs.map((need) => (need === "module" ? { id: name, uri: place + file } : modules.get(need)))
    );
    const module = typeof factory === "function" ? factory(...values) : factory;
    modules.set(name, module);
    return module;
  }

  // ipywidgets was written for the classic notebook and loads its style sheets when that asks for
  // them. This object has the parts of a notebook that it needs.
  function standInForNotebook() {
    const events = { on() {} };
    const keyboard_manager = { actions: { register() {} } };
    const notebook = { kernel: null, container: events, events, keyboard_manager };
    const jupyter = { version: "7.0.0", notebook };
    function OutputArea() {}
    OutputArea.prototype.register_mime_type = () => {};
    modules.set("base/js/namespace", jupyter);
    modules.set("base/js/events", events);
    modules.set("notebook/js/outputarea", { OutputArea });
    window.Jupyter = jupyter;
  }

  // It also sets formulas by the name that MathJax 2 had for it.
  function standInForMathJax2() {
    const math = window.MathJax;
    if (!math || math.Hub || !math.startup) return;
    const Queue = ([, , element]) => math.startup.promise.then(() => math.typesetPromise([element]));
    math.Hub = { Queue };
  }

  // ------------------------------------------------------------------------------- manager

  function bytes(text) {
    return new DataView(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
  }

  class Manager {
    constructor(states, base) {
      this.states = states;
      this.base = base;
      this.models = new Map();
    }

    has_model(id) {
      return id in this.states;
    }

    get_model(id) {
      if (!this.models.has(id)) this.models.set(id, this.make(id));
      return this.models.get(id);
    }

    async make(id) {
      const stored = this.states[id];
      if (!stored) throw new Error(`the state of the widget ${id} was not stored`);
      const state = structuredClone(stored.state);
      const buffers = stored.buffers || [];
      this.base.put_buffers(
        state,
        buffers.map((buffer) => buffer.path),
        buffers.map((buffer) => bytes(buffer.data))
      );
      const Model = await this.loadClass(stored.model_name, stored.model_module);
      const attributes = await Model._deserialize_state(state, this);
      const model = new Model(attributes, { widget_manager: this, model_id: id });
      model.name = stored.model_name;
      model.module = stored.model_module;
      // nothing would answer: a control says so by being grey, to screen readers as well
      if (model.has("disabled")) model.set("disabled", true);
      return model;
    }

    async create_view(model, options = {}) {
      const View = await this.loadClass(model.get("_view_name"), model.get("_view_module"));
      const view = new View({ model, options: { ...options } });
      view.listenTo(model, "destroy", view.remove);
      await view.render();
      return view;
    }

    async loadClass(name, module) {
      const found = modules.get(module);
      if (!found || !found[name]) throw new Error(`the site has no front end for ${module}.${name}`);
      return found[name];
    }

    callbacks() {
      return {};
    }

    resolveUrl(url) {
      return Promise.resolve(url);
    }

    inline_sanitize(text) {
      return text;
    }
  }

  // ---------------------------------------------------------------------------------- page

  function note() {
    const text = document.createElement("p");
    text.className = "stored-widget-note";
    text.append("As it was stored: the controls need a running notebook");
    const binder = document.querySelector('a[href^="https://mybinder.org/"]');
    if (binder) {
      const link = document.createElement("a");
      link.href = binder.href;
      link.textContent = "open it in Binder";
      text.append(" (", link, ")");
    }
    text.append(".");
    return text;
  }

  async function show() {
    const stored = document.querySelector(STATE);
    const places = [...document.querySelectorAll(VIEW)];
    if (!stored || !places.length) return;

    const kept = { define: window.define, require: window.require, requirejs: window.requirejs };
    Object.assign(window, { define, require, requirejs: require });
    standInForNotebook();
    standInForMathJax2();
    const widgets = await load("@jupyter-widgets/controls", "jupyter-widgets.js");
    modules.set("@jupyter-widgets/base", widgets);
    modules.set("@jupyter-widgets/output", widgets);
    await widgets.load_ipython_extension();
    const states = JSON.parse(stored.textContent).state;
    // what other scripts of the page look for must be as it was
    Object.assign(window, kept);

    const manager = new Manager(states, widgets);
    for (const script of places) {
      const frame = document.createElement("div");
      frame.className = "stored-widget";
      script.after(frame);
      try {
        const model = await manager.get_model(JSON.parse(script.textContent).model_id);
        const view = await manager.create_view(model);
        widgets.JupyterLuminoWidget.attach(view.luminoWidget || view.pWidget, frame);
        frame.after(note());
      } catch (reason) {
        frame.textContent = `This widget cannot be shown: ${reason.message}`;
        frame.classList.add("stored-widget-failed");
        console.error(reason);
      }
    }
    document.documentElement.dataset.storedWidgets = "shown";
  }

  // after every other script has run: some of them look for `define`
  if (document.readyState === "complete") show();
  else window.addEventListener("load", show);
})();
