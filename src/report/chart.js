// Charts: scales, axes, hover. Everything is drawn as SVG, text always as text.

const SVG = "http://www.w3.org/2000/svg";

function svg(parent, name, attributes, text) {
  const element = document.createElementNS(SVG, name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  parent.append(element);
  return element;
}

function html(parent, name, attributes, text) {
  const element = document.createElement(name);
  for (const key in attributes) element.setAttribute(key, attributes[key]);
  if (text !== undefined) element.textContent = text;
  if (parent) parent.append(element);
  return element;
}

// Numbers. A count has separators; a value has as many decimals as its step needs.
const count = n => n.toLocaleString("en-US");
const plain = (n, decimals) =>
  n.toLocaleString("en-US", { signDisplay: "negative", minimumFractionDigits: decimals, maximumFractionDigits: decimals }).replace("-", "−");
const decimalsOf = step => Math.max(0, Math.min(9, Math.ceil(-Math.log10(step) - 1e-9)));
function compact(n) {
  for (const [size, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (n >= size) return `${+(n / size).toPrecision(3)} ${unit}`;
  }
  return `${+n.toPrecision(3)}`;
}
// An exact price without the zeros that a fixed width would add.
const price = n => n.toLocaleString("en-US", { maximumFractionDigits: 9 }).replace("-", "−");
function money(n) {
  const size = Math.abs(n);
  const decimals = size === 0 || size >= 1 ? 2 : Math.min(9, 2 - Math.floor(Math.log10(size)));
  return plain(n, decimals);
}
const signed = n => (n > 0 ? "+" : "") + money(n);
const percent = share => `${plain(share * 100, 1)} %`;

// Times, always UTC.
const iso = ms => new Date(ms).toISOString();
const day = ms => iso(ms).slice(0, 10);
function clock(ms, step) {
  const text = iso(ms);
  if (step >= 86400e3) return text.slice(0, 10);
  if (step >= 60e3) return text.slice(11, 16);
  if (step >= 1e3) return text.slice(11, 19);
  return text.slice(11, 23);
}
const moment = ms => iso(ms).replace("T", " ").replace("Z", "");
function duration(seconds) {
  if (seconds < 1) return `${+(seconds * 1e3).toPrecision(3)} ms`;
  if (seconds < 120) return `${+seconds.toPrecision(3)} s`;
  const [d, h, m, s] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60, Math.round(seconds % 60)];
  return [[d, "d"], [h, "h"], [m, "min"], [s, "s"]].filter(([n]) => n).slice(0, 2).map(([n, unit]) => `${n} ${unit}`).join(" ");
}
function nanoseconds(ns) {
  if (ns < 1e3) return `${+ns.toPrecision(3)} ns`;
  if (ns < 1e6) return `${+(ns / 1e3).toPrecision(3)} µs`;
  if (ns < 1e9) return `${+(ns / 1e6).toPrecision(3)} ms`;
  return `${+(ns / 1e9).toPrecision(3)} s`;
}

// Where an axis has its lines.
function steps(low, high, labels) {
  const raw = (high - low) / labels || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find(n => n * power >= raw) || 10);
  const at = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9 && at.length < 40; i++) at.push(i * step);
  return { step, at };
}
const TIME_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3,
  900e3, 1800e3, 3600e3, 7200e3, 10800e3, 21600e3, 43200e3, 86400e3, 172800e3, 604800e3, 1209600e3, 2592000e3,
  7776000e3, 31536000e3];
function timeSteps(low, high, labels) {
  const raw = (high - low) / labels;
  const step = TIME_STEPS.find(n => n >= raw) || TIME_STEPS[TIME_STEPS.length - 1] * Math.ceil(raw / TIME_STEPS[TIME_STEPS.length - 1]);
  const at = [];
  for (let t = Math.ceil(low / step) * step; t <= high && at.length < 40; t += step) at.push(t);
  return { step, at };
}

// A frame with axes: returns the plot's group and scales. `y.ticks` are {at, step} or made here.
function frame(host, { label, height, x, y }) {
  host.replaceChildren();
  const width = Math.max(260, host.clientWidth);
  const root = svg(host, "svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label, tabindex: 0 });
  const yTicks = y.ticks || steps(y.low, y.high, Math.max(2, Math.round(height / 55)));
  const yText = y.text || (value => plain(value, decimalsOf(yTicks.step)));
  const texts = yTicks.at.map(yText);
  const left = Math.min(width / 3, 14 + 6.6 * Math.max(3, ...texts.map(text => text.length)));
  const box = { left, right: width - 12, top: 22, bottom: height - 38 };
  const toX = value => box.left + (value - x.low) / (x.high - x.low || 1) * (box.right - box.left);
  const toY = value => box.bottom - (value - y.low) / (y.high - y.low || 1) * (box.bottom - box.top);
  yTicks.at.forEach((value, i) => {
    svg(root, "line", { class: value === 0 && !y.text ? "zero" : "grid", x1: box.left, x2: box.right, y1: toY(value), y2: toY(value) });
    svg(root, "text", { x: box.left - 8, y: toY(value) + 4, "text-anchor": "end" }, texts[i]);
  });
  const xTicks = x.ticks || timeSteps(x.low, x.high, Math.max(2, Math.floor((box.right - box.left) / 110)));
  const xText = x.text || (value => clock(value, xTicks.step));
  for (const value of xTicks.at) {
    svg(root, "line", { class: "grid", x1: toX(value), x2: toX(value), y1: box.top, y2: box.bottom });
    svg(root, "text", { x: Math.min(toX(value), width - 24), y: box.bottom + 16, "text-anchor": "middle" }, xText(value));
  }
  svg(root, "text", { x: 2, y: 12 }, y.label);
  svg(root, "text", { x: box.right, y: height - 5, "text-anchor": "end" }, x.label);
  return { root, box, toX, toY };
}

function timeAxis(low, high) {
  const dates = day(low) === day(high) ? day(low) : `${day(low)} to ${day(high)}`;
  return { low, high: high > low ? high : low + 1, label: `receive time (UTC), ${dates}` };
}

// Room above and below, and never an empty range.
function range(low, high) {
  const room = (high - low) * 0.06 || Math.abs(high) * 0.001 || 1;
  return { low: low - room, high: high + room };
}

const path = points => "M" + points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L");

// A crosshair that follows pointer and arrow keys. `at(i)` gives {x, lines: [[name, value]…]} of point i.
function hover(host, { root, box }, points, nearest, at) {
  if (!points) return;
  const cross = svg(root, "line", { class: "cross", y1: box.top, y2: box.bottom, visibility: "hidden" });
  const tip = html(host, "div", { class: "tip", hidden: "", "aria-live": "polite" });
  let index = -1;
  function hide() {
    tip.hidden = true;
    cross.setAttribute("visibility", "hidden");
  }
  function show(i) {
    index = Math.max(0, Math.min(points - 1, i));
    const { x, lines } = at(index);
    cross.setAttribute("x1", x);
    cross.setAttribute("x2", x);
    cross.setAttribute("visibility", "visible");
    tip.replaceChildren(...lines.map(([name, value]) => {
      const line = html(null, "div");
      html(line, "span", {}, name);
      if (value !== undefined) html(line, "span", {}, value);
      return line;
    }));
    tip.hidden = false;
    const width = host.clientWidth, scale = width / root.viewBox.baseVal.width;
    const right = x * scale + 14 + tip.offsetWidth < width;
    tip.style.left = `${right ? x * scale + 14 : Math.max(0, x * scale - 14 - tip.offsetWidth)}px`;
  }
  root.addEventListener("pointermove", event => {
    const bounds = root.getBoundingClientRect();
    show(nearest((event.clientX - bounds.left) * root.viewBox.baseVal.width / bounds.width));
  });
  root.addEventListener("pointerleave", hide);
  root.addEventListener("blur", hide);
  root.addEventListener("keydown", event => {
    const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity }[event.key];
    if (step) {
      event.preventDefault();
      show(step === -Infinity ? 0 : step === Infinity ? points - 1 : index < 0 ? 0 : index + step);
    } else if (event.key === "Escape") hide();
  });
}

// The place of the number nearest to `value` in a sorted list.
function nearestIn(sorted, value) {
  let low = 0, high = sorted.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle; else high = middle;
  }
  return Math.abs(sorted[low] - value) <= Math.abs(sorted[high] - value) ? low : high;
}
