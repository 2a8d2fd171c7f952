// The page: reads the data (its fields are described in embed.rs) and draws each part.

const page = JSON.parse(document.getElementById("data").textContent);
const part = id => document.getElementById(id);
const colour = i => `var(--s${i % 8})`;
const dash = i => ["", "6 3", "2 3", "8 3 2 3"][Math.floor(i / 8) % 4];
const hidden = new Set();
const SIDES = { 1: "buy", "-1": "sell", 0: "flat" };

// Curves and charts as lists of numbers; made when they are first looked at.
for (const one of page.strategies) {
  const scale = 10 ** one.curve.d;
  let t = 0, v = 0, top = 0;
  one.time = [page.span[0]];
  one.equity = [0];
  one.fall = [0];
  one.curve.t.forEach((step, i) => {
    t += step;
    v += one.curve.v[i];
    top = Math.max(top, v);
    one.time.push(page.span[0] + t / 1e3);
    one.equity.push(v / scale);
    one.fall.push((v - top) / scale);
  });
}
function unpack(chart) {
  if (chart.time) return;
  const scale = 10 ** chart.d;
  Object.assign(chart, { time: [], last: [], low: [], high: [] });
  for (let i = 0, place = 0, last = 0; i < chart.b.length; i += 4) {
    place += chart.b[i];
    last += chart.b[i + 1];
    // A bucket stands at its middle.
    chart.time.push(Math.min(page.span[1], Math.max(page.span[0], chart.t + (place + 0.5) * chart.w)));
    chart.last.push(last / scale);
    chart.low.push((last - chart.b[i + 2]) / scale);
    chart.high.push((last + chart.b[i + 3]) / scale);
  }
  for (const lane of chart.m) {
    lane.at = [];
    for (let i = 0, t = 0, at = 0; i < lane.m.length; i += 3) {
      t += lane.m[i];
      at += lane.m[i + 1];
      lane.at.push({ time: page.span[0] + t / 1e3, price: at / scale, side: SIDES[lane.m[i + 2]], strategy: lane.s });
    }
  }
}

function headline() {
  const ticks = page.instruments.reduce((sum, one) => sum + one.n[0] + one.n[1] + one.n[2] + one.n[3], 0);
  const seconds = page.facts.elapsed_seconds, span = (page.span[1] - page.span[0]) / 1e3;
  const signals = page.strategies.reduce((sum, one) => sum + one.total[SIGNALS], 0);
  part("subtitle").textContent = `${moment(page.span[0]).slice(0, 19)} to ${moment(page.span[1]).slice(0, 19)} UTC`;
  const defects = page.facts.bad_lines + page.facts.duplicates + page.facts.gaps;
  for (const [value, name] of [
    [count(ticks), "ticks"],
    [count(page.instruments.length), page.instruments.length === 1 ? "instrument" : "instruments"],
    [duration(span), "of receive time"],
    [seconds > 0 ? compact(ticks / seconds) : "–", "ticks/s"],
    [count(signals), "signals"],
    [count(defects), "malformed lines, duplicates, gaps"],
  ]) {
    const card = html(part("headline"), "div", { class: "card" });
    html(card, "b", {}, value);
    html(card, "span", {}, name);
  }
  const rules = page.rules, fallbacks = page.strategies.reduce((sum, one) => sum + one.notes[2], 0);
  part("rules").textContent = `One unit a signal, filled at ${rules.fill === "cross" ? "the other side of the book" : "the signal's price"}, ` +
    `${rules.slippage} bp slippage, ${rules.fee} bp fee. Money in the quote unit.` +
    (fallbacks ? ` ${count(fallbacks)} fills took the signal's price because the other side was empty.` : "");
}

function legend() {
  page.strategies.forEach((one, i) => {
    for (const host of [part("legend"), part("marks")]) {
      const button = html(host, "button", { type: "button", "aria-pressed": "true", "data-strategy": i });
      html(button, "span", { class: "swatch", style: `color:${colour(i)}` });
      button.append(one.name);
      button.onclick = () => {
        if (!hidden.delete(i)) hidden.add(i);
        document.querySelectorAll(`button[data-strategy="${i}"]`).forEach(b => b.setAttribute("aria-pressed", !hidden.has(i)));
        draw();
      };
    }
  });
  const several = page.strategies.length > 1 ? "; the first strategy shown is solid, others are hollow" : "";
  html(part("marks"), "span", { class: "key" }, `▲ buy  ▼ sell  ● flat${several}`);
}

function lines(host, field, label, height) {
  const shown = page.strategies.map((one, i) => [one, i]).filter(([, i]) => !hidden.has(i));
  if (!shown.length) return host.replaceChildren(html(null, "p", { class: "empty" }, page.strategies.length ? "No strategy is shown." : "No strategy ran."));
  let low = 0, high = 0;
  for (const [one] of shown) for (const value of one[field]) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  const area = frame(host, {
    label: `${label} over receive time; arrow keys read values`, height, x: timeAxis(...page.span), y: { ...range(low, high), label },
  });
  for (const [one, i] of shown) {
    const points = one.time.map((t, k) => [area.toX(t), area.toY(one[field][k])]);
    svg(area.root, "path", { d: path(points), fill: "none", "stroke-width": 1.6, "stroke-linejoin": "round", "stroke-dasharray": dash(i), style: `stroke:${colour(i)}` });
  }
  const width = area.box.right - area.box.left;
  hover(host, area, Math.round(width), x => Math.round(x - area.box.left), k => {
    const time = page.span[0] + (page.span[1] - page.span[0]) * k / width;
    const values = shown.map(([one]) => [one.name, one[field][nearestIn(one.time, time)]]);
    values.sort((a, b) => b[1] - a[1]);
    return { x: area.box.left + k, lines: [[moment(time).slice(0, 23)], ...values.slice(0, 14).map(([name, value]) => [name, signed(value)])] };
  });
}

const SHAPES = { buy: "M0,-6L5.5,4.5H-5.5Z", sell: "M0,6L5.5,-4.5H-5.5Z", flat: "M-4,0a4,4 0 1,0 8,0a4,4 0 1,0 -8,0Z" };

function priceChart(host, one) {
  const note = part("price-note");
  note.textContent = "";
  const chart = one && one.c;
  if (!chart || !chart.b.length) {
    const why = !one ? "No instrument." : !chart ? "This page holds charts of the instruments with the most signals only." : "No price was ever defined.";
    return host.replaceChildren(html(null, "p", { class: "empty" }, why));
  }
  unpack(chart);
  const marks = chart.m.filter(lane => !hidden.has(lane.s)).flatMap(lane => lane.at);
  let low = Math.min(...chart.low), high = Math.max(...chart.high);
  for (const mark of marks) {
    low = Math.min(low, mark.price);
    high = Math.max(high, mark.price);
  }
  const area = frame(host, {
    label: `Price of ${one.s} over receive time with ${marks.length} signals; arrow keys read values`, height: 360,
    x: timeAxis(...page.span), y: { ...range(low, high), label: `${one.s}, price in the quote unit` },
  });
  const { root, toX, toY } = area;
  const xs = chart.time.map(toX);
  const edge = [...chart.high.map((v, i) => [xs[i], toY(v)]), ...chart.low.map((v, i) => [xs[i], toY(v)]).reverse()];
  svg(root, "path", { d: path(edge) + "Z", style: "fill:var(--band);stroke:var(--band)" });
  svg(root, "path", { d: path(chart.last.map((v, i) => [xs[i], toY(v)])), fill: "none", "stroke-width": 1.3, "stroke-linejoin": "round", style: "stroke:var(--price)" });
  const solid = page.strategies.findIndex((_, i) => !hidden.has(i));
  for (const mark of marks) {
    svg(root, "path", {
      class: `mark ${mark.side}${mark.strategy === solid ? "" : " hollow"}`, d: SHAPES[mark.side],
      transform: `translate(${toX(mark.time).toFixed(1)},${toY(mark.price).toFixed(1)})`,
    });
  }
  marks.sort((a, b) => a.time - b.time);
  const markXs = marks.map(mark => toX(mark.time));
  hover(host, area, xs.length, x => nearestIn(xs, x), i => {
    const near = marks.filter((_, k) => Math.abs(markXs[k] - xs[i]) < 5);
    const shown = near.slice(0, 8).map(mark => [`${page.strategies[mark.strategy].name} ${mark.side} ${clock(mark.time, 0)}`, price(mark.price)]);
    if (near.length > 8) shown.push([`and ${near.length - 8} more`]);
    return { x: xs[i], lines: [[moment(chart.time[i]).slice(0, 23)], ["last", price(chart.last[i])],
      ["low to high", `${price(chart.low[i])} to ${price(chart.high[i])}`], ...shown] };
  });
  const total = chart.m.reduce((sum, lane) => sum + lane.n, 0), kept = chart.m.reduce((sum, lane) => sum + lane.at.length, 0);
  note.textContent = `Line: last price of each ${duration(chart.w / 1e3)}; band: its lowest to highest. The middle of the book once it was quoted, else trades. ` +
    (kept < total ? `${count(kept)} of ${count(total)} signals are marked (first, last, extremes and a random sample).` : `All ${count(total)} signals are marked.`);
}

function latencyChart(host, latency, unit) {
  const bars = latency.buckets;
  if (!bars.length) return host.replaceChildren(html(null, "p", { class: "empty" }, "Not measured."));
  const log = Math.log10, width = 0.25 * log(2);
  const low = log(bars[0][0]) - width, high = Math.max(log(bars[bars.length - 1][0]), low + 1);
  const most = Math.max(...bars.map(([, n]) => n)), total = bars.reduce((sum, [, n]) => sum + n, 0);
  const decades = (from, to, step) => Array.from({ length: Math.max(0, Math.floor(to / step) - Math.ceil(from / step) + 1) }, (_, i) => (Math.ceil(from / step) + i) * step);
  const area = frame(host, {
    label: `Histogram of the processing time per ${unit}; arrow keys read values`, height: 240,
    x: { low, high, ticks: { at: decades(low, high, 1) }, text: v => nanoseconds(10 ** v), label: `time per ${unit} (log scale)` },
    y: { low: -0.3, high: log(most) + 0.2, ticks: { at: decades(0, log(most) + 0.2, Math.ceil((log(most) + 0.2) / 5)) }, text: v => compact(10 ** v), label: "samples (log scale)" },
  });
  const { root, box, toX, toY } = area;
  const centres = bars.map(([upper]) => toX(log(upper) - width / 2));
  for (const [upper, n] of bars) {
    const x = toX(log(upper) - width), y = toY(log(n));
    svg(root, "rect", { x, y, width: Math.max(1, toX(log(upper)) - x - 1), height: box.bottom - y, style: "fill:var(--price)", opacity: .75 });
  }
  const marks = [["p50", latency.p50], ["p90", latency.p90], ["p99", latency.p99], ["p99.9", latency.p999], ["max", latency.max]];
  for (const [, value] of marks.slice(0, 4)) {
    if (value > 0) svg(root, "line", { class: "cross", x1: toX(log(value)), x2: toX(log(value)), y1: box.top, y2: box.bottom });
  }
  hover(host, area, bars.length, x => nearestIn(centres, x), i => ({
    x: centres[i],
    lines: [[`up to ${nanoseconds(bars[i][0])}`], ["samples", count(bars[i][1])], ["share", `${(bars[i][1] / total * 100).toPrecision(3)} %`]],
  }));
  html(host, "p", { class: "note" }, marks.map(([name, value]) => `${name} ${nanoseconds(value)}`).join(" · ") + ` · ${count(total)} samples`);
}

// The instrument whose chart is shown, and the list to choose it from.
let chosen = -1;
function chooser() {
  const select = part("instrument"), find = part("find");
  const signals = one => one.c ? one.c.m.reduce((sum, lane) => sum + lane.n, 0) : -1;
  const charted = page.instruments.map((one, i) => i).filter(i => page.instruments[i].c);
  function list() {
    const query = find.value.trim().toLowerCase();
    const found = charted.filter(i => page.instruments[i].s.toLowerCase().includes(query));
    select.replaceChildren(...found.map(i => html(null, "option", { value: i }, page.instruments[i].s)));
    part("found").textContent = query ? `${count(found.length)} found` :
      charted.length < page.instruments.length ? `${count(charted.length)} of ${count(page.instruments.length)} instruments have a chart` : "";
    return found;
  }
  find.oninput = () => {
    const found = list();
    if (found.includes(chosen)) select.value = chosen; else if (found.length) choose(found[0]);
  };
  select.onchange = () => choose(+select.value);
  part("choose").onsubmit = event => event.preventDefault();
  list();
  if (page.instruments.length === 1) part("choose").hidden = true;
  return charted.reduce((best, i) => best < 0 || signals(page.instruments[i]) > signals(page.instruments[best]) ? i : best, -1);
}
function choose(i, jump) {
  chosen = i;
  const select = part("instrument");
  if (![...select.options].some(option => +option.value === i)) {
    part("find").value = "";
    part("find").dispatchEvent(new Event("input"));
  }
  select.value = i;
  markRow(i);
  priceChart(part("price"), page.instruments[i]);
  if (jump) part("h-price").scrollIntoView({ block: "start" });
}

function draw() {
  lines(part("profit"), "equity", "net profit, in the quote unit", 260);
  lines(part("drawdown"), "fall", "drawdown, in the quote unit", 170);
  priceChart(part("price"), page.instruments[chosen]);
  latencyChart(part("latency-tick"), page.latency[0], "tick");
  latencyChart(part("latency-frame"), page.latency[1], "frame");
}

headline();
strategyTable(part("strategies"), page, colour);
legend();
runTable(part("run"), page);
const markRow = instrumentTable(part("instruments"), page, choose);
const first = chooser();
if (first >= 0) choose(first); else markRow(-1);
draw();
let width = document.body.clientWidth;
new ResizeObserver(() => {
  if (document.body.clientWidth !== width) {
    width = document.body.clientWidth;
    draw();
  }
}).observe(document.body);
