// The panel of tv.predict: a question, a form for its answer, and what came of it.  It knows no answer: what is given
// goes to the kernel, which then runs the program.  All texts are set as text, never as HTML.

const PATIENCE = 300, LONG = 3000; // ms without an answer of the kernel, until that is said

function node(name, about = {}, ...inner) {
  const made = Object.assign(document.createElement(name), about);
  made.append(...inner);
  return made;
}

// What stands in backticks is code.
const marked = (text) => text.split("`").map((part, i) => (i % 2 ? node("code", { textContent: part }) : part));

function render({ model, el }) {
  const { question, kind, options, hint } = model.get("asked");
  el.classList.add("tv-predict");
  const said = node("p", { className: "tv-said" });
  said.setAttribute("role", "status");
  const give = node("button", { type: "submit" });
  const group = `tv-${Math.random()}`;
  const order = [];
  let waiting = 0;

  const asked = node(kind === "text" ? "label" : "legend", { className: "tv-question" }, node("b", {}, "Predict: "),
    ...marked(question));
  const about = node("p", { className: "tv-hint", textContent: hint, id: `${group}-hint` });
  const text = node("input", { type: "text", id: group, autocomplete: "off", spellcheck: false });
  const type = kind === "choice" ? "radio" : "checkbox";
  const fields = options.map((label, i) => kind === "order" ? item(label, i)
    : node("label", {}, node("input", { type, name: group, value: i }), node("span", {}, ...marked(label))));
  if (kind === "text") asked.htmlFor = group;
  text.setAttribute("aria-describedby", about.id);
  const field = node("div", { className: "tv-fields" }, ...(kind === "text" ? [text] : fields), give);
  const form = kind === "text" ? node("form", {}, asked, about, field)
    : node("form", {}, node("fieldset", {}, asked, about, field));
  about.hidden = !hint;
  form.noValidate = true;
  const score = node("p", { className: "tv-hint" });
  el.append(form, said, score);

  // The items of an order are pressed one after the other; pressed again, one is taken out.
  function item(label, i) {
    const place = node("kbd");
    const made = node("button", { type: "button", className: "tv-item" }, place, node("span", { textContent: label }));
    made.onclick = () => {
      if (order.includes(i)) order.splice(order.indexOf(i), 1);
      else order.push(i);
      number();
    };
    made.place = (at) => {
      place.textContent = at || "–";
      made.setAttribute("aria-pressed", Boolean(at));
      made.setAttribute("aria-label", at ? `${label}, place ${at}` : label);
    };
    return made;
  }
  const number = () => fields.forEach((each, i) => each.place?.(order.indexOf(i) + 1));

  function wait(ms, what) {
    waiting = setTimeout(() => {
      say(what, null);
      wait(LONG, "no answer yet: another cell is running, or the kernel is gone; then run this cell again");
    }, ms);
  }

  function say(what, right) {
    said.textContent = what;
    said.classList.toggle("tv-right", right === true);
    said.classList.toggle("tv-wrong", right === false);
  }

  form.onsubmit = (event) => {
    event.preventDefault();
    clearTimeout(waiting);
    wait(PATIENCE, "waiting…");
    const chosen = kind === "order" ? order : [...form.querySelectorAll(":checked")].map((each) => +each.value);
    model.send(kind === "text" ? { answer: text.value } : { chosen });
  };

  function show() {
    const state = model.get("state");
    clearTimeout(waiting);
    if (state.running) {
      waiting = setTimeout(() => say("running…", null), PATIENCE);
      return;
    }
    give.textContent = state.again ? "try again" : "this is my prediction";
    say(state.said, state.right);
    score.textContent = state.score ?? "";
    score.hidden = !state.score;
  }

  // What came of it may lie below the fold; nobody is to look for it.
  function showAnswer() {
    show();
    if (model.get("state").right == null) return;
    const whole = el.parentElement ?? el;
    requestAnimationFrame(() => {
      if (whole.getBoundingClientRect().bottom > innerHeight) el.scrollIntoView({ block: "start" });
    });
  }

  // Keys are the form's own, not the notebook's.  Enter gives the answer, but for a button, which it presses.
  form.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.stopPropagation();
    if (event.key !== "Enter" || event.target.tagName === "BUTTON") return;
    event.preventDefault();
    form.requestSubmit();
  });
  model.on("change:state", showAnswer);
  number();
  show();
  return () => (clearTimeout(waiting), model.off("change:state", showAnswer));
}

export default { render };
