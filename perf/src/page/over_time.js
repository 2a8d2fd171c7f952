// One step over time: rates, the message budget, latency, memory and queues, one below the other.

const COLOURS = { sent: 0, confirmed: 1, delivered: 6, signal: 2, consumed: 2, committed: 3 };
const colourOf = (name, i) => `var(--s${COLOURS[name] ?? (i + 4) % 8})`;

// Fewer points are no course: a line through them would show nothing.
const SHORTEST = 3;

function overTime(parent, step) {
  parent.replaceChildren();
  const series = step.series, repaints = [], group = [];
  if (series.length < SHORTEST) {
    const text = series.length ? `The step was too short for a course over time: ${short(step.seconds)} s. Its totals are below.` : "No series was recorded.";
    make(parent, "p", { class: "empty" }, text);
    return repaints;
  }
  const end = series[series.length - 1].at;
  const [unit, unitName] = end > 7200 ? [3600, "hours"] : end > 600 ? [60, "minutes"] : [1, "seconds"];
  // A second stands at its middle.
  const starts = series.map((one, i) => i ? series[i - 1].at : 0);
  const middles = series.map((one, i) => (starts[i] + one.at) / 2 / unit);
  const warm = series.filter(one => one.warm_up).map(one => one.at).pop() || 0;
  const blocked = series.some(one => one.blocked > 0);
  const values = (lines, more = []) => [...lines.flatMap(line => series.map(line.of)), ...more].filter(value => value !== null && isFinite(value));

  function paint(host, lines, { title, height, text, exact, log, reference, also = [] }) {
    const ticks = Math.max(3, Math.round((height - 64) / 40));
    const found = values(lines, reference ? [reference] : []);
    const y = log ? logarithmic(...logRange(found, 1.4)) : linear(0, Math.max(...found, 0) * 1.08 || 1, ticks);
    const columns = Math.max(3, Math.floor(host.clientWidth / 70));
    const area = frame(host, {
      label: `${title} over time; arrow keys read values`, height, x: { scale: linear(0, end / unit, columns), text: short, title: `${unitName} since the step began` },
      y: { scale: y, text, title },
    });
    const { root, box, toX, toY } = area;
    if (warm) {
      const right = toX(warm / unit);
      draw(root, "rect", { class: "warm-up", x: box.left, y: box.top, width: right - box.left, height: box.bottom - box.top });
    }
    series.forEach((one, i) => {
      if (!(one.blocked > 0)) return;
      const x = toX(starts[i] / unit), width = Math.max(1.5, toX(one.at / unit) - x);
      draw(root, "rect", { class: "blocked", x, y: box.top, width, height: box.bottom - box.top });
      // How long of it, as the edge's length.
      draw(root, "rect", { class: "blocked-edge", x, y: box.top, width: Math.max(1.5, width * Math.min(1, one.blocked)), height: 3 });
    });
    if (reference) draw(root, "line", { class: "limit", x1: box.left, x2: box.right, y1: toY(reference), y2: toY(reference) });
    for (const line of lines) trace(area, series.map((one, i) => [middles[i], line.of(one)]), line);
    cross(area, middles.map(toX), i => [
      [`${short(starts[i] / unit)} to ${short(series[i].at / unit)} ${unitName}${series[i].warm_up ? ", warm-up" : ""}`],
      ...lines.map(line => [line.name, exact(line.of(series[i])), line.colour]),
      ...also.map(([name, of]) => [name, of(series[i])]),
      ...(series[i].blocked > 0 ? [["blocked", percent(series[i].blocked)]] : []),
    ], group);
  }
  const add = (heading, lines, options, keys) => repaints.push(
    plot(parent, { title: heading, lines, keys, paint: (host, shown) => paint(host, shown, options) }));
  const line = (name, colour, of, dash) => ({ name, colour, of, dash });
  const any = of => series.filter(one => of(one) > 0).length > 1;

  const rates = [["sent", "sent"], ["confirmed", "confirmed", "5 4"], ["consumed", "consumed, all strategies"], ["committed", "committed, all strategies", "5 4"]]
    .filter(([field]) => any(one => one[field]))
    .map(([field, name, dash]) => line(name, colourOf(field), one => one[field], dash));
  const shades = [...(warm ? [["area", "warm-up", "var(--shade)"]] : []), ...(blocked ? [["area", "a broker took nothing", "var(--bad-band)"]] : [])];
  const offered = step.offered ? [["dashed", `offered, ${axisRate(step.offered)}`, "var(--soft)"]] : [];
  if (rates.length) add("Throughput", rates, { title: "ticks/s", height: 270, text: axisRate, exact: rate, reference: step.offered }, [...offered, ...shades]);
  const messages = ["messages/s", one => rate(one.messages)];
  if (series.some(one => one.budget !== null)) {
    add("Message budget", [line("share of the budget", "var(--s6)", one => one.budget)], {
      title: "share of the message budget", height: 150, text: percent, exact: percent, reference: 1, also: [messages],
    }, [["dashed", "the whole budget", "var(--soft)"], ...(rates.length ? [] : shades)]);
  } else if (any(one => one.messages)) {
    add("Messages", [line(messages[0], "var(--s6)", one => one.messages)], { title: "messages/s", height: 150, text: axisRate, exact: rate }, rates.length ? [] : shades);
  }
  if (series.filter(one => one.p99 !== null).length >= SHORTEST) {
    const lines = [line("p50", "var(--s0)", one => one.p50), line("p99", "var(--s1)", one => one.p99)];
    add("Latency of each second", lines, { title: "from due to signal (log scale)", height: 190, text: axisTime, exact: time, log: true });
  }
  const memory = [line("this process", "var(--s5)", one => one.memory), line("brokers", "var(--s4)", one => one.broker_memory)]
    .filter(one => any(one.of));
  if (memory.length) add("Memory", memory, { title: "memory", height: 170, text: axisBytes, exact: bytes, also: [["open files", one => count(one.files)]] });
  if (series.some(one => one.queued !== null)) {
    add("Queued", [line("messages in queues", "var(--s7)", one => one.queued)], { title: "messages in brokers' queues", height: 150, text: axisRate, exact: count });
  }
  return repaints;
}

// What a point of the series stands for, where it is not one second.
function seriesNote(step) {
  const gaps = step.series.slice(1).map((one, i) => one.at - step.series[i].at).sort((a, b) => a - b);
  const gap = gaps[gaps.length >> 1] || 1;
  return gap < 1.5 ? "" : `Each point stands for ${short(gap)} seconds: mean rates, median of p50; of all else the highest.`;
}
