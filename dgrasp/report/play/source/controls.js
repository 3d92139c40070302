// Labelled controls, made of plain HTML: every one is reached by keyboard and read by a screen reader.

let made = 0;

/** An element: h("p", {class: "x", onclick}, ...children). */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

/** A label beside its control. */
function labelled(text, control) {
  control.id = `dgp-${++made}`;
  return h("div", { class: "dgp-control" }, h("label", { for: control.id }, text), control);
}

/** A list to choose from; options: [[value, text]]. Has `value`; `set(value)` does not call `changed`. */
export function choice(text, options, value, changed) {
  const select = h("select", { onchange: () => changed(select.value) });
  const fill = (list) => select.replaceChildren(...list.map(([v, t]) => h("option", { value: v }, t)));
  fill(options);
  select.value = value;
  return {
    element: labelled(text, select),
    get value() { return select.value; },
    set: (v) => (select.value = v),
    fill: (list, v) => (fill(list), (select.value = v)),
  };
}

/** A slider with its number. show: value -> text. `moved(value, settled)`. */
export function slider(text, { min, max, step, value, show = String, log = false }, moved) {
  const to = (x) => (log ? Math.log10(x) : x), from = (x) => (log ? 10 ** Number(x) : Number(x));
  const input = h("input", { type: "range", min: to(min), max: to(max), step: log ? 0.01 : step, value: to(value) });
  const output = h("output", {});
  const control = labelled(text, input);
  control.append(output);
  let exact = value; // a slider rounds what is set; what the visitor did not move stays as it was
  const say = () => {
    output.textContent = show(exact);
    input.setAttribute("aria-valuetext", output.textContent);
  };
  const act = (settled) => {
    exact = from(input.value);
    say();
    moved(exact, settled);
  };
  input.addEventListener("input", () => act(false));
  input.addEventListener("change", () => act(true));
  say();
  return {
    element: control,
    input,
    get value() { return exact; },
    /** Also widens the range, so that no value is moved to its end without a word. */
    set(x) {
      if (to(x) < Number(input.min)) input.min = to(x);
      if (to(x) > Number(input.max)) input.max = to(x);
      input.value = to(x);
      exact = x;
      say();
    },
  };
}

/** A box to tick. */
export function tick(text, checked, changed) {
  const input = h("input", { type: "checkbox", checked, onchange: () => changed(input.checked) });
  return { element: h("label", { class: "dgp-tick" }, input, " ", text), get value() { return input.checked; } };
}

export const button = (text, pressed) => h("button", { type: "button", onclick: pressed }, text);

/** Let controls below some elements be used, or not. */
export function enable(elements, on) {
  for (const element of elements) for (const one of element.querySelectorAll("button, input, select")) one.disabled = !on;
}

/** A group of controls with a heading. */
export const group = (title, ...children) => h("fieldset", {}, h("legend", {}, title), ...children);
