// Numbers, times, scales, and the frame that every chart over receive time is drawn in. Text is always
// set as text. Amounts of money, percentages and ratios come from the data: here they are only written.

const page = JSON.parse(document.getElementById("data").textContent);
const part = id => document.getElementById(id);
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

// Numbers. A count has separators; a value has as many decimals as its step needs, and no "−0".
const count = n => n.toLocaleString("en-US");
const plain = (n, decimals) =>
  n.toLocaleString("en-US", { signDisplay: "negative", minimumFractionDigits: decimals, maximumFractionDigits: decimals }).replace("-", "−");
const decimalsOf = step => Math.max(0, Math.min(9, Math.ceil(-Math.log10(step) - 1e-9)));
const price = n => n.toLocaleString("en-US", { signDisplay: "negative", maximumFractionDigits: 9 }).replace("-", "−");
function money(n) {
  const size = Math.abs(n);
  const decimals = size === 0 || size >= 1 ? 2 : Math.min(9, 2 - Math.floor(Math.log10(size)));
  return plain(n, decimals);
}
const signed = n => (n > 0 ? "+" : "") + money(n);
const percent = n => `${plain(n, Math.abs(n) < 0.095 && n !== 0 ? 4 : 2)} %`;
const signedPercent = n => (n > 0 ? "+" : "") + percent(n);
function compact(n) {
  for (const [size, unit] of [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]]) {
    if (n >= size) return `${+(n / size).toPrecision(3)} ${unit}`;
  }
  return `${+n.toPrecision(3)}`;
}

// Times, always UTC.
const iso = ms => new Date(ms).toISOString();
const moment = ms => iso(ms).slice(0, 23).replace("T", " ");
function clock(ms, step) {
  const text = iso(ms);
  if (step >= 86400e3) return text.slice(0, 10);
  if (ms % 86400e3 === 0) return text.slice(5, 10);
  if (step >= 60e3) return text.slice(11, 16);
  return text.slice(11, step >= 1e3 ? 19 : 23);
}
function duration(seconds) {
  if (seconds < 1) return `${+(seconds * 1e3).toPrecision(3)} ms`;
  if (seconds < 60) return `${+seconds.toPrecision(3)} s`;
  const whole = Math.round(seconds);
  const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
  return parts.filter(([n]) => n).slice(0, 2).map(([n, unit]) => `${n} ${unit}`).join(" ");
}
function nanoseconds(ns) {
  const [size, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]].find(([size]) => ns >= size) || [1, "ns"];
  return `${+(ns / size).toPrecision(3)} ${unit}`;
}

// Where an axis has its lines.
function steps(low, high, labels) {
  const raw = (high - low) / labels || 1, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find(n => n * power >= raw) || 10), at = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high + step * 1e-9 && at.length < 40; i++) at.push(i * step);
  return { step, at };
}
const TIME_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3,
  900e3, 1800e3, 3600e3, 7200e3, 10800e3, 21600e3, 43200e3, 86400e3, 172800e3, 604800e3, 1209600e3, 2592000e3,
  7776000e3, 31536000e3];
function timeSteps(low, high, labels) {
  const raw = (high - low) / labels, longest = TIME_STEPS[TIME_STEPS.length - 1];
  const step = TIME_STEPS.find(n => n >= raw) || longest * Math.ceil(raw / longest), at = [];
  for (let t = Math.ceil(low / step) * step; t <= high && at.length < 40; t += step) at.push(t);
  return { step, at };
}

// Room above and below, and never an empty range.
function range(low, high) {
  if (!(low <= high)) return { low: 0, high: 1 };
  const room = (high - low) * 0.06 || Math.abs(high) * 0.001 || 1;
  return { low: low - room, high: high + room };
}

const path = points => points.length ? "M" + points.map(([x, y]) => `${x.toFixed(1)},${y.toFixed(1)}`).join("L") : "";

// The place of the number nearest to `value` in a sorted list, and of the first that is not below it.
function firstFrom(sorted, value) {
  let low = 0, high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1; else high = middle;
  }
  return low;
}
function nearestIn(sorted, value) {
  const after = Math.min(firstFrom(sorted, value), sorted.length - 1), before = Math.max(after - 1, 0);
  return value - sorted[before] <= sorted[after] - value ? before : after;
}

const GLYPH = 6.7, AXIS = 30;

// A frame with axes for `view`, {from, to} in ms. Its left margin is given, so that charts above each
// other have one time axis.
function frame(host, { label, height, y, left, view, times }) {
  host.replaceChildren();
  const width = Math.max(240, host.clientWidth), bottom = height - (times ? AXIS : 8);
  const root = svg(host, "svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": label });
  const box = { left, right: width - 10, top: 22, bottom };
  const toX = time => box.left + (time - view.from) / (view.to - view.from) * (box.right - box.left);
  const toY = value => box.bottom - (value - y.low) / (y.high - y.low || 1) * (box.bottom - box.top);
  y.ticks.at.forEach(value => {
    const zero = Math.abs(value) < y.ticks.step * 1e-6;
    svg(root, "line", { class: zero && y.zero ? "zero" : "grid", x1: box.left, x2: box.right, y1: toY(value), y2: toY(value) });
    svg(root, "text", { x: box.left - 8, y: toY(value) + 4, "text-anchor": "end" }, y.text(zero ? 0 : value));
  });
  const ticks = timeSteps(view.from, view.to, Math.max(2, Math.floor((box.right - box.left) / 100)));
  for (const value of ticks.at) {
    svg(root, "line", { class: "grid", x1: toX(value), x2: toX(value), y1: box.top, y2: box.bottom });
    if (!times) continue;
    const text = clock(value, ticks.step), half = text.length * GLYPH / 2;
    svg(root, "text", { x: Math.max(half, Math.min(toX(value), width - half)), y: box.bottom + 16, "text-anchor": "middle" }, text);
  }
  svg(root, "text", { x: 2, y: 12, class: "unit" }, y.label);
  // A drawing within the drawing, in the same coordinates, which cuts off what is outside of it.
  const [x, top, across, down] = [box.left, box.top - 8, box.right - box.left, box.bottom - box.top + 16];
  const plot = svg(root, "svg", { x, y: top, width: across, height: down, viewBox: `${x} ${top} ${across} ${down}` });
  return { root, plot, box, toX, toY, width };
}
