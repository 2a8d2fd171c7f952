// Bars: results of round trips, profit by hour and day, processing times. A bar is {value, label, tip}.

function bars(host, list, { text, labels, height = 150 }) {
  host.replaceChildren();
  if (!list.some(one => one.value)) return html(host, "p", { class: "empty" }, "Nothing here.");
  let low = 0, high = 0;
  for (const one of list) {
    low = Math.min(low, one.value);
    high = Math.max(high, one.value);
  }
  const whole = high - low, plot = html(host, "div", { class: "plot", style: `height:${height}px` });
  const ends = html(host, "div", { class: "ends", style: `height:${height}px`, "aria-hidden": "true" });
  html(ends, "span", {}, text(high));
  if (low < 0) html(ends, "span", {}, text(low));
  const tip = html(null, "div", { class: "tip", hidden: "" });
  let tall = null;
  function pointAt(bar, lines) {
    if (tall) tall.classList.remove("pointed");
    tall = bar;
    bar.classList.add("pointed");
    tip.hidden = false;
    fillTip(tip, lines);
    const x = bar.offsetLeft + bar.offsetWidth / 2;
    tip.style.left = `${Math.max(0, Math.min(x - tip.offsetWidth / 2, host.clientWidth - tip.offsetWidth))}px`;
  }
  function leave() {
    if (tall) tall.classList.remove("pointed");
    tall = null;
    tip.hidden = true;
  }
  const drawn = list.map(one => {
    const bar = html(plot, "div", { class: `bar ${one.kind || (one.value < 0 ? "down" : "up")}` });
    const size = Math.abs(one.value) / whole * 100, top = (high - Math.max(one.value, 0)) / whole * 100;
    html(bar, "i", { style: `top:${top.toFixed(2)}%;height:${Math.max(size, one.value ? 0.7 : 0).toFixed(2)}%` });
    return bar;
  });
  html(plot, "div", { class: "base", style: `top:${(high / whole * 100).toFixed(2)}%` });
  const axis = html(host, "div", { class: "axis" }), every = Math.ceil(list.length / Math.max(2, Math.floor(host.clientWidth / (labels || 46))));
  list.forEach((one, i) => i % every === 0 && i + every / 2 < list.length + 0.5 && html(axis, "span", { style: `left:${((i + 0.5) / list.length * 100).toFixed(2)}%` }, one.label));
  host.append(tip);
  let at = -1;
  const go = i => {
    at = Math.max(0, Math.min(list.length - 1, i));
    pointAt(drawn[at], list[at].tip);
  };
  const near = event => {
    const bounds = plot.getBoundingClientRect();
    go(Math.floor((event.clientX - bounds.left) / bounds.width * list.length));
  };
  host.tabIndex = 0;
  host.onpointermove = host.onpointerdown = near;
  host.onpointerleave = event => event.pointerType === "mouse" && leave();
  host.onblur = leave;
  host.onkeydown = event => {
    const step = { ArrowLeft: -1, ArrowRight: 1, Home: -1e9, End: 1e9 }[event.key];
    if (!step) return event.key === "Escape" && leave();
    event.preventDefault();
    go(at < 0 && Math.abs(step) === 1 ? 0 : at + step);
  };
}

function resultBars() {
  const one = page.strategies[+part("results-of").value || 0];
  if (!one) return;
  const { w, b } = one.results, at = new Map(b.map(([from, n]) => [Math.round(from / w), n])), trades = n => `${count(n)} round trip${n === 1 ? "" : "s"}`;
  const first = b.length ? Math.round(b[0][0] / w) : 0, last = b.length ? Math.round(b[b.length - 1][0] / w) : -1;
  const edge = n => plain(n, decimalsOf(w)), bins = [];
  for (let bin = first; bin <= last; bin++) {
    const n = at.get(bin) || 0;
    bins.push({ value: n, kind: bin < 0 ? "down" : "up", label: edge(bin * w), tip: [[`${edge(bin * w)} to ${edge((bin + 1) * w)}`], [trades(n)]] });
  }
  bars(part("results"), bins, { text: count, labels: 64 });
  bars(part("hours"), one.hours.map(([profit, n], hour) => {
    const label = `${String(hour).padStart(2, "0")}:00`;
    return { value: profit, label, tip: [[`${label} to ${String(hour + 1).padStart(2, "0")}:00`], ["profit", signed(profit)], [trades(n)]] };
  }), { text: signed });
  bars(part("days"), one.days.map(([start, days, profit, n]) => {
    const label = iso(start).slice(0, 10), until = days > 1 ? ` to ${iso(start + (days - 1) * 86400e3).slice(0, 10)}` : "";
    return { value: profit, label, tip: [[label + until], ["profit", signed(profit)], [trades(n)]] };
  }), { text: signed, labels: 84 });
  // One bar says nothing that the table does not say.
  const hours = one.hours.filter(([profit, n]) => profit || n).length;
  part("hours").parentNode.hidden = hours < 2;
  part("days").parentNode.hidden = one.days.length < 2;
}

function timeBars(host, latency) {
  const total = latency.buckets.reduce((sum, [, n]) => sum + n, 0), log = n => n ? Math.log10(n) + 0.3 : 0;
  const first = latency.buckets.length ? Math.round(Math.log2(latency.buckets[0][0]) * 4) : 0, list = [];
  for (const [upper, n] of latency.buckets) {
    for (const place = Math.round(Math.log2(upper) * 4) - first; list.length < place;) {
      const empty = nanoseconds(2 ** ((first + list.length) / 4));
      list.push({ value: 0, kind: "neutral", label: empty, tip: [[`up to ${empty}`], ["samples", "0"]] });
    }
    list.push({ value: log(n), kind: "neutral", label: nanoseconds(upper), tip: [[`up to ${nanoseconds(upper)}`], ["samples", count(n)]] });
  }
  bars(host, list, { text: value => compact(10 ** (value - 0.3)), labels: 64 });
  const shown = [["p50", latency.p50], ["p90", latency.p90], ["p99", latency.p99], ["p99.9", latency.p999], ["max", latency.max]];
  html(host, "p", { class: "note" }, shown.map(([name, value]) => `${name} ${nanoseconds(value)}`).join(" · ") + ` · ${count(total)} samples; heights are logarithmic`);
}
