// The panel of tv.step: the code, a button for each thread, and what they share.  The kernel says what stands there;
// what is pressed goes back to it.  All texts are set as text, never as HTML.

const HELP = "Keys: a digit lets that thread take its next step, backspace undoes the newest.";

function node(name, about = {}, ...inner) {
  const made = Object.assign(document.createElement(name), about);
  made.append(...inner);
  return made;
}

function render({ model, el }) {
  el.classList.add("tv-step");
  el.tabIndex = 0;
  el.dataset.lmSuppressShortcuts = "true"; // while it has the focus the keys are its own, not the notebook's
  el.setAttribute("role", "group");
  el.setAttribute("aria-label", `Step by step. ${HELP}`);
  const line = node("input", { type: "checkbox" });
  const goal = node("p", { className: "tv-goal" });
  const said = node("p", { className: "tv-said" });
  said.setAttribute("role", "status");
  const threads = node("div", { className: "tv-threads" });
  const tools = node("div", { className: "tv-tools" });
  const code = node("div", { className: "tv-code" });
  const places = node("div", { className: "tv-places" });
  el.append(goal, threads, tools, said, node("div", { className: "tv-side" }, code, places));

  const choose = (number) => model.send({ choose: number, line: line.checked });
  const press = (what) => model.send({ press: what });
  const button = (text, act, disabled) => node("button", { type: "button", textContent: text, onclick: act, disabled });

  function table(title, rows) {
    if (!rows.length) return node("span");
    const body = rows.map(([name, value]) => node("tr", {},
      node("td", { textContent: name }), node("td", { textContent: value || "…" })));
    return node("table", {}, node("caption", { textContent: title }), ...body);
  }

  function show() {
    const state = model.get("state"), held = document.activeElement?.dataset?.key;
    goal.textContent = state.goal ? `Goal: ${state.goal}` : "";
    goal.hidden = !state.goal;
    threads.replaceChildren(...state.threads.map((thread) => {
      const made = button("", () => choose(thread.number), !thread.can);
      made.dataset.key = `thread ${thread.number}`;
      made.append(node("kbd", { textContent: thread.number }), node("b", { textContent: thread.name }),
        node("span", { textContent: thread.tells + (thread.line ? ` (line ${thread.line})` : "") }));
      return made;
    }));
    tools.replaceChildren(
      button("undo", () => press("undo"), !state.can_undo), button("begin anew", () => press("reset"), !state.can_undo),
      button("show me", () => press("show")), node("label", {}, line, " a line at a time"));
    [...tools.querySelectorAll("button")].forEach((each) => { each.dataset.key = each.textContent; });
    said.textContent = state.said || (state.steps ? `${state.steps} step${state.steps > 1 ? "s" : ""} so far: who goes on?` : "Who goes first?");
    said.classList.toggle("tv-reached", state.reached);
    code.replaceChildren(...state.code.map((each) => node("pre", {}, ...each.lines.map(([number, text, names]) =>
      node("div", { className: names.length ? "tv-here" : "" }, `${String(number).padStart(4)}  ${text}`,
        ...names.map((name) => node("i", { textContent: `◂ ${name}` })))))));
    places.replaceChildren(table("what threads share", state.places),
      ...state.threads.map((thread) => table(thread.name, thread.variables)));
    if (held) (el.querySelector(`[data-key="${held}"]:enabled`) ?? el).focus({ preventScroll: true });
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Backspace") press("undo");
    else if (/^\d$/.test(event.key)) choose(+event.key);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  el.addEventListener("keydown", key);
  model.on("change:state", show);
  show();
  return () => {
    model.off("change:state", show);
    el.removeEventListener("keydown", key);
  };
}

export default { render };
