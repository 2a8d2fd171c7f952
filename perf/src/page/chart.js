// Plots: numbers as text, scales, a frame with axes, legends, and a cross that reads values.

const make = (parent, name, attributes = {}, text) => grow(document.createElement(name), parent, attributes, text);
const draw = (parent, name, attributes = {}, text) => grow(document.createElementNS("http://www.w3.org/2000/svg", name), parent, attributes, text);
function grow(element, parent, attributes, text) {
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

// Numbers: three digits and a unit, as units.rs writes them; on an axis without needless zeros.
const MISSING = "–";
const RATE = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""]];
const TIME = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]];
const BYTES = [[1e12, "TB"], [1e9, "GB"], [1e6, "MB"], [1e3, "kB"], [1, "B"]];
const three = number => Math.abs(number) >= 1e3 ? number.toFixed(0) : number.toPrecision(3);
const short = number => `${+number.toPrecision(3)}`;
function scaled(value, units, digits) {
  if (value === null || value === undefined || !isFinite(value)) return MISSING;
  const size = Math.abs(+value.toPrecision(3));
  const [unit, name] = units.find(([unit]) => size >= unit) || units[units.length - 1];
  return `${value === 0 ? "0" : digits(value / unit)} ${name}`.trim().replace("-", "−");
}
const rate = n => scaled(n, RATE, three), axisRate = n => scaled(n, RATE, short);
const time = ns => ns !== null && ns < 1e3 ? `${Math.round(ns)} ns` : scaled(ns, TIME, three), axisTime = ns => scaled(ns, TIME, short);
const bytes = n => scaled(n, BYTES, three), axisBytes = n => scaled(n, BYTES, short);
const count = n => Math.round(n).toLocaleString("en-US");
const percent = share => share === null ? MISSING : `${+(share * 100).toPrecision(3)} %`;

// Scales: `at` gives 0 to 1; `marks` are places for labels, `major` ones first to be kept.
function linear(low, high, ticks) {
  const raw = (high - low) / ticks || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find(n => n * power >= raw * (1 - 1e-9));
  const marks = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9; i++) marks.push({ value: i * step, major: true });
  return { low, high, marks, at: value => (value - low) / (high - low || 1) };
}
function logarithmic(low, high) {
  const from = Math.log10(low), to = Math.max(Math.log10(high), from + 1e-6), marks = [];
  for (let power = Math.floor(from); power <= Math.ceil(to); power++) {
    // The fewer decades, the more marks in each.
    for (const n of to - from > 4 ? [1] : to - from > 1.3 ? [1, 2, 5] : [1, 2, 3, 4, 5, 6, 8]) {
      const value = n * 10 ** power;
      if (value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9)) marks.push({ value, major: n === 1 });
    }
  }
  return { low, high, marks, at: value => (Math.log10(Math.max(value, low / 10)) - from) / (to - from) };
}
// Room around what is shown, and never less than half a decade.
function logRange(values, room = 1.25) {
  const positive = values.filter(value => value > 0);
  if (!positive.length) return [1, 10];
  const low = Math.min(...positive) / room, high = Math.max(...positive) * room;
  return high / low < 3 ? [low / 1.5, high * 1.5] : [low, high];
}

const pen = document.createElement("canvas").getContext("2d");
function widthOf(text) {
  pen.font = `11.5px ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}
// The marks whose labels do not touch each other, major ones before others.
function roomy(marks, place, size, gap) {
  const kept = [];
  for (const mark of [...marks.filter(m => m.major), ...marks.filter(m => !m.major)]) {
    const at = place(mark), half = size(mark) / 2;
    if (kept.every(other => Math.abs(other.at - at) >= other.half + half + gap)) kept.push({ mark, at, half });
  }
  return kept;
}

// A frame with axes; an axis is {scale, text, title}. All frames of a column share the left margin.
function frame(host, { label, height, x, y }) {
  host.replaceChildren();
  const width = Math.max(240, host.clientWidth);
  const root = draw(host, "svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label, tabindex: 0 });
  const left = Math.max(58, 14 + Math.max(0, ...y.scale.marks.map(mark => widthOf(y.text(mark.value)))));
  const box = { left, right: width - 14, top: 24, bottom: height - 40 };
  const toX = value => box.left + x.scale.at(value) * (box.right - box.left);
  const toY = value => box.bottom - y.scale.at(value) * (box.bottom - box.top);
  for (const { mark, at } of roomy(y.scale.marks, mark => toY(mark.value), () => 12, 6)) {
    draw(root, "line", { class: "grid", x1: box.left, x2: box.right, y1: at, y2: at });
    draw(root, "text", { x: box.left - 8, y: at + 4, "text-anchor": "end" }, y.text(mark.value));
  }
  const inside = mark => Math.min(toX(mark.value), width - 2 - widthOf(x.text(mark.value)) / 2);
  for (const { mark, at } of roomy(x.scale.marks, inside, mark => widthOf(x.text(mark.value)), 9)) {
    draw(root, "line", { class: "grid", x1: toX(mark.value), x2: toX(mark.value), y1: box.top, y2: box.bottom });
    draw(root, "text", { x: at, y: box.bottom + 16, "text-anchor": "middle" }, x.text(mark.value));
  }
  draw(root, "line", { class: "axis", x1: box.left, x2: box.right, y1: box.bottom, y2: box.bottom });
  draw(root, "text", { x: 2, y: 12 }, y.title);
  draw(root, "text", { x: box.right, y: height - 6, "text-anchor": "end" }, x.title);
  return { host, root, box, toX, toY, width };
}

// A line through [x, y] in plot units, open where y is null.
function trace(area, points, { colour, dash, area: filled }) {
  let d = "", open = false;
  for (const [x, y] of points) {
    if (y === null || y === undefined || !isFinite(y)) { open = false; continue; }
    d += `${open ? "L" : "M"}${area.toX(x).toFixed(1)},${area.toY(y).toFixed(1)}`;
    open = true;
  }
  if (d) draw(area.root, "path", { class: "line", d, "stroke-dasharray": dash, style: `--colour:${colour}` });
}

// A plot with its heading and a legend whose keys show and hide lines. `paint(host, lines)` draws it.
function plot(parent, { title, lines, keys = [], paint }) {
  const host = make(parent, "div", { class: "plot" }), top = make(host, "div", { class: "top" });
  make(top, "h3", {}, title);
  const legend = make(top, "div", { class: "legend", role: "group", "aria-label": "Lines shown" }), body = make(host, "div", { class: "chart" });
  const shown = new Set(lines);
  const repaint = () => paint(body, lines.filter(line => shown.has(line)));
  if (lines.length > 1) for (const line of lines) {
    const button = make(legend, "button", { type: "button", "aria-pressed": "true" });
    make(button, "span", { class: line.dash ? "swatch dashed" : "swatch", style: `color:${line.colour}` });
    button.append(line.name);
    button.onclick = () => {
      if (!shown.delete(line)) shown.add(line);
      button.setAttribute("aria-pressed", shown.has(line));
      repaint();
    };
  }
  for (const [kind, name, colour] of keys) {
    const key = make(legend, "span", { class: "key" });
    make(key, "span", { class: `swatch ${kind}`, style: kind === "area" ? `background:${colour}` : `color:${colour}` });
    key.append(name);
  }
  repaint();
  return repaint;
}

// A cross that follows pointer and arrow keys over `xs`, sorted pixels. `read(i)` gives the lines of
// the read-out, the first its heading; `group` is a list of plots whose crosses move together.
function cross(area, xs, read, group = []) {
  if (!xs.length) return;
  const { host, root, box } = area;
  const line = draw(root, "line", { class: "cross", y1: box.top, y2: box.bottom, visibility: "hidden" });
  const tip = make(host, "div", { class: "tip", hidden: "", "aria-live": "polite" });
  let index = -1;
  const me = {
    root,
    move(i) {
      line.setAttribute("x1", xs[i]);
      line.setAttribute("x2", xs[i]);
      line.setAttribute("visibility", "visible");
    },
    hide() {
      tip.hidden = true;
      line.setAttribute("visibility", "hidden");
    },
  };
  // Plots that were painted again have left their old crosses behind.
  group.splice(0, group.length, ...group.filter(one => one.root.isConnected), me);
  const all = () => group.filter(one => one !== me);
  function hide() { me.hide(); all().forEach(one => one.hide()); }
  function show(i) {
    index = Math.max(0, Math.min(xs.length - 1, i));
    me.move(index);
    all().forEach(one => one.move(index));
    tip.replaceChildren();
    for (const [name, value, colour] of read(index)) {
      const row = make(tip, "div"), head = make(row, "span");
      if (colour) make(head, "span", { class: "swatch", style: `color:${colour}` });
      head.append(name);
      if (value !== undefined) make(row, "span", {}, value);
    }
    tip.hidden = false;
    const right = xs[index] + 14 + tip.offsetWidth < area.width;
    tip.style.left = `${right ? xs[index] + 14 : Math.max(0, xs[index] - 14 - tip.offsetWidth)}px`;
  }
  root.addEventListener("pointermove", event => {
    const bounds = root.getBoundingClientRect();
    show(nearest(xs, (event.clientX - bounds.left) * area.width / bounds.width));
  });
  root.addEventListener("pointerleave", hide);
  root.addEventListener("blur", hide);
  root.addEventListener("keydown", event => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity }[event.key];
    if (event.key === "Escape") hide();
    if (!step) return;
    event.preventDefault();
    show(index < 0 && isFinite(step) ? 0 : index + step);
  });
}

// The place of the number nearest to `value` in a sorted list.
function nearest(sorted, value) {
  const after = sorted.findIndex(one => one >= value);
  if (after < 0) return sorted.length - 1;
  return after > 0 && value - sorted[after - 1] < sorted[after] - value ? after - 1 : after;
}
