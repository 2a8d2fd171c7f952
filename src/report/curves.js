// Equity, drawdown and exposure over time, one line a strategy; the legends that show and hide them.

const dash = i => ["", "7 3", "2 3", "9 3 2 3"][Math.floor(i / 8) % 4];
const colour = i => `var(--s${(i + Math.floor(i / 8)) % 8})`;
const hidden = new Set();
let inPercent = false;
const shownStrategies = () => page.strategies.map((one, i) => [one, i]).filter(([, i]) => !hidden.has(i));

// One shape a strategy, about 10 px wide; with the colour there are 64 that differ.
const SHAPES = [
  "M-4.5,0a4.5,4.5 0 1,0 9,0a4.5,4.5 0 1,0 -9,0Z", "M-4,-4h8v8h-8Z", "M0,-5.8L5.8,0L0,5.8L-5.8,0Z",
  "M-1.7,-5h3.4v3.3h3.3v3.4h-3.3v3.3h-3.4v-3.3h-3.3v-3.4h3.3Z", "M0,-6L1.6,-1.9L6,-1.8L2.5,0.9L3.7,5.1L0,2.6L-3.7,5.1L-2.5,0.9L-6,-1.8L-1.6,-1.9Z",
  "M0,-5.4L5.4,4.2H-5.4Z", "M-4.7,-2.6l2.1,-2.1l2.6,2.6l2.6,-2.6l2.1,2.1l-2.6,2.6l2.6,2.6l-2.1,2.1l-2.6,-2.6l-2.6,2.6l-2.1,-2.1l2.6,-2.6Z", "M-5.4,0L-2.7,-4.7H2.7L5.4,0L2.7,4.7H-2.7Z",
];
function shapeKey(parent, i, kind = "buy") {
  const key = svg(parent, "svg", { class: "glyph", viewBox: "-7 -7 14 14", width: 14, height: 14, "aria-hidden": "true" });
  svg(key, "path", { d: SHAPES[i % 8], class: `mark ${kind}`, style: `--strategy:${colour(i)}` });
}

// A curve as times in ms and values in the quote unit; both begin with the run, at 0.
function unpackCurve({ t, v, d }) {
  const scale = 10 ** d, times = [page.span[0]], values = [0];
  for (let i = 0, time = 0, value = 0; i < t.length; i++) {
    time += t[i];
    value += v[i];
    times.push(page.span[0] + time / 1e3);
    values.push(value / scale);
  }
  return { times, values };
}
for (const one of page.strategies) {
  one.equity = unpackCurve(one.curve);
  one.under = unpackCurve(one.fall);
}

// A value of a strategy as shown: units, or percent of its capital.
const scaleOf = one => inPercent ? one.percent : 1;
const amount = value => inPercent ? signedPercent(value) : signed(value);

function lineChart(id, field, name, height) {
  const host = part(id);
  addChart({
    host, height, times: false,
    label: () => `${name} over receive time, ${inPercent ? "in percent of the capital" : "in the quote unit"}`,
    empty: () => page.strategies.length ? "No strategy is shown." : "No strategy ran.",
    limits({ from, to }) {
      const shown = shownStrategies();
      if (!shown.length) return null;
      let low = field === "under" || !isZoomed() ? 0 : Infinity, high = field === "under" || !isZoomed() ? 0 : -Infinity;
      for (const [one] of shown) {
        const { times, values } = one[field], last = Math.min(times.length - 1, firstFrom(times, to));
        for (let i = Math.max(0, firstFrom(times, from) - 1); i <= last; i++) {
          const value = values[i] * scaleOf(one);
          if (value < low) low = value;
          if (value > high) high = value;
        }
      }
      return { ...range(low, high), zero: true, label: `${name}, ${inPercent ? "% of capital" : "quote unit"}` };
    },
    draw({ plot, toX, toY }, { from, to }) {
      for (const [one, i] of shownStrategies()) {
        const { times, values } = one[field], points = [];
        for (let k = Math.max(0, firstFrom(times, from) - 1); k < times.length; k++) {
          points.push([toX(times[k]), toY(values[k] * scaleOf(one))]);
          if (times[k] > to) break;
        }
        const d = path(points);
        if (field === "under" && points.length && shownStrategies().length <= 3) {
          svg(plot, "path", { class: "area", d: `${d}L${points[points.length - 1][0].toFixed(1)},${toY(0).toFixed(1)}L${points[0][0].toFixed(1)},${toY(0).toFixed(1)}Z`, style: `fill:${colour(i)}` });
        }
        svg(plot, "path", { class: "line", d, "stroke-dasharray": dash(i), style: `stroke:${colour(i)}` });
      }
    },
    read(time) {
      const values = shownStrategies().map(([one]) => [one.name, one[field].values[nearestIn(one[field].times, time)] * scaleOf(one)]);
      values.sort((a, b) => b[1] - a[1]);
      return [[moment(time)], ...values.slice(0, 12).map(([name, value]) => [name, field === "under" ? inPercent ? percent(value) : money(value) : amount(value)])];
    },
  });
}

function exposureChart() {
  for (const one of page.strategies) {
    one.held = one.exposure.v.map(value => value / 10);
    one.from = one.exposure.v.map((_, i) => one.exposure.t + i * one.exposure.w);
  }
  const at = (one, time) => one.held[Math.max(0, Math.min(one.held.length - 1, Math.floor((time - one.exposure.t) / one.exposure.w)))];
  addChart({
    host: part("exposure"), height: 130, times: true,
    label: () => "Exposure over receive time, in percent of the instruments",
    empty: () => page.strategies.length ? "No strategy is shown." : "No strategy ran.",
    limits: () => shownStrategies().length ? { low: 0, high: 105, zero: true, label: "Exposure: share of time with a position, %", text: value => plain(value, 0) } : null,
    draw({ plot, toX, toY }, { from, to }) {
      for (const [one, i] of shownStrategies()) {
        const { w } = one.exposure, points = [];
        one.held.forEach((value, k) => {
          const start = Math.max(one.from[k], whole.from), end = Math.min(one.from[k] + w, whole.to);
          if (end >= from && start <= to && end > start) points.push([toX(start), toY(value)], [toX(end), toY(value)]);
        });
        svg(plot, "path", { class: "line", d: path(points), "stroke-dasharray": dash(i), style: `stroke:${colour(i)}` });
      }
    },
    read: time => [[moment(time)], ...shownStrategies().slice(0, 12).map(([one]) => [one.name, at(one, time) === undefined ? "–" : `${plain(at(one, time), 1)} %`])],
  });
}

function legends() {
  document.querySelectorAll(".legend[data-of=strategies]").forEach(host => page.strategies.forEach((one, i) => {
    const button = html(host, "button", { type: "button", "aria-pressed": "true", "data-strategy": i });
    if (host.dataset.keys === "marks") shapeKey(button, i);
    else svg(svg(button, "svg", { class: "glyph", viewBox: "0 0 22 8", width: 22, height: 8, "aria-hidden": "true" }), "path", { class: "line", d: "M0,4H22", "stroke-dasharray": dash(i), style: `stroke:${colour(i)}` });
    button.append(one.name);
    button.onclick = () => {
      if (!hidden.delete(i)) hidden.add(i);
      document.querySelectorAll(`button[data-strategy="${i}"]`).forEach(b => b.setAttribute("aria-pressed", !hidden.has(i)));
      redraw();
    };
  }));
  const buttons = [...document.querySelectorAll("[data-scale]")], has = page.strategies.some(one => one.percent);
  for (const button of buttons) {
    button.parentNode.hidden = !has;
    button.onclick = () => {
      inPercent = button.dataset.scale === "percent";
      buttons.forEach(other => other.setAttribute("aria-pressed", other === button));
      redraw();
    };
  }
}
