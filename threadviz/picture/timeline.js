// The live timeline: mounts the SVG that the kernel has painted, and says of each shape what its <title> says.
// It knows nothing of threads.  All HTML and SVG comes from the kernel, which has escaped the learner's texts in it.

const PATIENCE = 150; // ms: a setting without its picture for so long is said to be waited for
const REST = 1000; // ms without a new picture: the slider is no longer dragged
const ORIGIN = 18; // pixels from the axes' left edge to time 0
const HELP = "Timeline. Arrow keys go from thing to thing, + and - zoom, shift with arrow keys moves, 0 shows all.";
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
// While it has the focus the keys are the timeline's, not the notebook's.
const PARTS = `<div class="tv-outcome" role="status"></div><div class="tv-bars"></div>
  <div class="tv-view" tabindex="0" role="group" aria-label="${HELP}" data-lm-suppress-shortcuts="true"></div>
  <div class="tv-card" role="status" hidden></div><div class="tv-log"></div>
  <details class="tv-words"><summary></summary><pre></pre></details>`;

function render({ model, el }) {
  el.classList.add("tv-panel");
  el.innerHTML = PARTS;
  const [outcome, bars, view, card, log, words] = el.children;
  const [summary, text] = words.children, controls = {};
  const stop = new AbortController();
  const on = (node, name, act) => node.addEventListener(name, act, { signal: stop.signal, passive: false });
  const svg = () => view.querySelector("svg");
  const whole = () => ({ x: 0, y: 0, w: +svg().getAttribute("width"), h: +svg().getAttribute("height") });
  const isGone = () => Object.values(controls).some((each) => !each.comm_live);
  const place = (event) => new DOMPoint(event.clientX, event.clientY).matrixTransform(svg().getScreenCTM().inverse());
  let items = [], chosen = null, box = null, ghost = null, checking = 0, resting = 0;

  function show() {
    const face = model.get("face");
    if (!resting && svg()) ghost = { outlines: outlines(), scale: +svg().dataset.scale }; // of what stood there at rest
    el.style.minHeight = `${el.offsetHeight}px`; // the page does not jump under the slider
    const before = svg() && JSON.stringify(whole());
    view.innerHTML = face.svg ?? "";
    items = [...view.querySelectorAll("title")].map((title) => {
      const shape = title.parentNode;
      shape.told = title.textContent;
      title.remove();
      return shape;
    });
    point(null);
    if (svg() && box) zoomTo(before === JSON.stringify(whole()) ? box : whole());
    const shrunk = svg() && svg().dataset.scale / ghost?.scale; // neither, where nothing takes time
    const transform = `translate(${ORIGIN}) scale(${shrunk} 1) translate(${-ORIGIN})`;
    if (shrunk && isFinite(shrunk)) svg().lastChild.append(path({ class: "tv-ghost", d: ghost.outlines, transform }));
    log.innerHTML = face.log ?? "";
    summary.textContent = face.summary ?? "";
    text.textContent = face.words ?? "";
    words.hidden = !face.words;
    view.hidden = !face.svg;
    clearTimeout(resting);
    resting = setTimeout(rest, REST);
    check();
  }

  function rest() {
    resting = 0;
    ghost = null;
    view.querySelector(".tv-ghost")?.remove();
    el.style.minHeight = "";
  }

  function outlines() {
    const sides = ({ x, y, width, height }) => [x, y, width, height].map((side) => side.baseVal.value);
    const rects = items.filter((each) => each.matches(":not([data-fill=instant]) > rect")).map(sides);
    return rects.map(([x, y, w, h]) => `M${x} ${y}h${w}v${h}h-${w}z`).join("");
  }

  function path(attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", "path");
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }

  function check() {
    clearTimeout(checking);
    if (stop.signal.aborted) return;
    const same = ([id, [name, value]]) => JSON.stringify(controls[id]?.get(name) ?? value) === JSON.stringify(value);
    const settled = !model.get("running") && Object.entries(model.get("at")).every(same);
    if (model.get("bars") && !bars.innerHTML) requestAnimationFrame(() => bars.scrollIntoView({ block: "nearest" }));
    bars.innerHTML = model.get("bars");
    if (isGone()) say("the kernel was restarted: run the cell again", !settled);
    else if (settled) say(model.get("said"), false);
    else checking = setTimeout(() => {
      say(model.get("running") ? "running…" : "waiting for another cell", true);
      checking = setTimeout(check, PATIENCE);
    }, PATIENCE);
  }

  function say(what, stale) {
    if (outcome.textContent !== what) outcome.textContent = what;
    el.classList.toggle("tv-stale", stale); // hides all the rest
  }

  async function watch(id) {
    controls[id] = await model.widget_manager.get_model(id);
    controls[id].on("change comm_live_update", check);
    check();
  }

  function point(at) {
    if (chosen === at) return;
    chosen?.classList.remove("tv-chosen");
    chosen = at;
    card.hidden = !at;
    if (!at) return;
    at.classList.add("tv-chosen");
    card.textContent = at.told;
    const [bar, panel] = [at.getBoundingClientRect(), el.getBoundingClientRect()];
    const left = Math.min(bar.left + Math.min(bar.width / 2, 200) - panel.left, panel.width - card.offsetWidth);
    const isLow = bar.bottom + card.offsetHeight + 12 > innerHeight;
    card.style.left = `${Math.max(left, 0)}px`;
    card.style.top = `${(isLow ? bar.top - card.offsetHeight - 8 : bar.bottom + 8) - panel.top}px`;
  }

  function light(x) {
    const near = (line) => Math.abs(line.dataset.x - x) < 5;
    log.querySelectorAll("[data-x]").forEach((line) => line.classList.toggle("tv-lit", near(line)));
  }

  function instant(x) {
    view.querySelector(".tv-instant")?.remove();
    if (x && svg()) svg().append(path({ class: "tv-instant", d: `M${x} 26V${svg().dataset.bottom}` }));
    light(x);
  }

  on(view, "pointermove", (event) => {
    if (!svg()) return;
    point(items.includes(event.target) ? event.target : null);
    light(place(event).x);
    const unit = (box?.w ?? 0) / view.clientWidth;
    if (event.buttons && box) zoomTo({ ...box, x: box.x - event.movementX * unit, y: box.y - event.movementY * unit });
  });
  for (const name of ["pointerleave", "blur"]) on(view, name, () => (point(null), light(NaN)));
  on(log, "pointerover", (event) => instant(event.target.dataset.x));
  on(log, "pointerleave", () => instant(NaN));

  function zoomTo(wanted) {
    const all = whole(), w = Math.min(Math.max(wanted.w, all.w / 40), all.w), h = (w * all.h) / all.w;
    const inside = (from, part, size) => Math.min(Math.max(from, 0), size - part);
    const [x, y] = [inside(wanted.x, w, all.w), inside(wanted.y, h, all.h)];
    box = w < all.w ? { x, y, w, h } : null;
    svg().setAttribute("viewBox", `${x} ${y} ${w} ${h}`);
  }

  function zoom(by, x, y) {
    const now = box ?? whole();
    zoomTo({ x: x - (x - now.x) / by, y: y - (y - now.y) / by, w: now.w / by });
  }

  function next([across, down]) {
    const from = chosen?.getBBox() ?? { x: 0, y: 0, height: 0 };
    const places = items.map((each) => {
      const at = each.getBBox();
      return [each, at.x - from.x, at.y + at.height / 2 - from.y - from.height / 2];
    });
    const isAhead = ([, x, y]) => (chosen && across ? across * x > 0 && Math.abs(y) < 8 : (down || 1) * y > 8);
    const far = ([, x, y]) => Math.abs(x) + Math.abs(y) * (across ? 0 : 100);
    return places.filter(isAhead).sort((one, two) => far(one) - far(two))[0]?.[0] ?? chosen;
  }

  on(view, "wheel", (event) => {
    if (!svg() || !(event.ctrlKey || event.metaKey)) return; // the page scrolls
    event.preventDefault();
    const { x, y } = place(event);
    zoom(1.2 ** (-event.deltaY / 100), x, y);
  });
  on(view, "keydown", (event) => {
    if (!svg() || event.ctrlKey || event.metaKey || event.altKey) return;
    const now = box ?? whole(), step = STEPS[event.key];
    if (step && event.shiftKey) zoomTo({ ...now, x: now.x + (step[0] * now.w) / 8, y: now.y + (step[1] * now.h) / 8 });
    else if (step) point(next(step));
    else if ("+-".includes(event.key)) zoom(event.key === "+" ? 1.5 : 1 / 1.5, now.x + now.w / 2, now.y + now.h / 2);
    else if (event.key === "0" || event.key === "Escape") (point(null), zoomTo(whole()));
    else return;
    event.preventDefault();
  });

  const watchAll = () => Object.keys(model.get("at")).filter((id) => !(id in controls)).forEach(watch);
  model.on("change:face", show);
  model.on("change:said change:bars change:running", check);
  model.on("change:at", watchAll);
  bars.innerHTML = model.get("bars"); // without scrolling to it
  show();
  rest();
  watchAll();

  // ipywidgets gives the handle of a slider no name, and a click on its track moves it without giving it the focus.
  const naming = new MutationObserver(() => {
    for (const handle of document.querySelectorAll(".threadviz-interact [role=slider]:not([aria-label])"))
      handle.ariaLabel = handle.closest(".widget-slider").querySelector(".widget-label").textContent;
  });
  naming.observe(document.body, { childList: true, subtree: true });
  on(document, "pointerup", ({ target }) => {
    const handle = target.closest?.(".threadviz-interact .slider-container")?.querySelector("[role=slider]");
    if (handle) setTimeout(() => handle.focus());
  });
  return () => (stop.abort(), naming.disconnect());
}

export default { render };
