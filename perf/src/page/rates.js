// Several steps: offered rate, or the option that was varied, against latency and against what was achieved, and where
// the knee is.

// What `--vary` varied: the option, and its value in each step; null where rates were varied.
function variedOption(steps) {
  const named = steps.map(step => /^(.+) (\d+)$/.exec(step.name || ""));
  if (steps.length < 2 || named.some(one => !one || one[1] !== named[0][1])) return null;
  const option = named[0][1], isBytes = option.endsWith("-bytes");
  return { option, values: named.map(one => +one[2]), text: isBytes ? bytes : count, axis: isBytes ? axisBytes : axisRate };
}

const counting = step => step.stages.find(stage => stage.name === "signal" && stage.count) || step.stages.filter(stage => stage.count).pop();
const achieved = step => step.totals.ticks_per_s > 0 ? step.totals.ticks_per_s : step.totals.messages_per_s;
const noun = step => step.totals.ticks_per_s > 0 ? "ticks/s" : "messages/s";
// Full speed has no offered rate: it stands where it got to.
const place = (step, i, varied) => varied ? varied.values[i] : step.offered ?? achieved(step);

function ratePlots(parents, steps, knee, chosen, choose, varied) {
  const order = steps.map((step, i) => ({ step, i, x: place(step, i, varied) })).filter(one => one.x > 0).sort((a, b) => a.x - b.x);
  if (order.length < 2) return [];
  const late = order.some(({ step }) => counting(step));
  const x = logarithmic(...logRange([...order.map(one => one.x), ...(knee ? [knee.carried, knee.refused || 0] : [])], 1.15));
  // The rates themselves are the marks, the knee's first.
  const isOnAxis = step => varied || step.offered !== null;
  x.marks = order.filter(({ step }) => isOnAxis(step)).map(one => ({ value: one.x, major: !!knee && one.x === knee.carried }));
  const stage = late ? counting(order.find(({ step }) => counting(step)).step).name : "";
  const full = order.some(({ step }) => !isOnAxis(step));
  const by = varied ? varied.option : "offered rate";
  const keys = full ? [["hollow", "full speed", "var(--soft)"]] : [];

  function paint(host, lines, { title, y, text, ideal, label }) {
    const area = frame(host, { label: `${label}; arrow keys read values, Enter shows a step`, height: 290, x: { scale: x, text: varied ? varied.axis : axisRate, title: `${varied ? varied.option : "offered ticks/s"} (log scale)` }, y: { scale: y, text, title } });
    const { root, box, toX, toY } = area;
    if (knee && knee.refused) {
      const from = Math.min(box.right, toX(knee.refused));
      draw(root, "rect", { class: "blocked", x: from, y: box.top, width: box.right - from, height: box.bottom - box.top });
    }
    if (ideal) {
      const low = Math.max(x.low, y.low), high = Math.min(x.high, y.high);
      draw(root, "path", { class: "limit", d: `M${toX(low)},${toY(low)}L${toX(high)},${toY(high)}` });
    }
    if (knee) {
      const at = toX(knee.carried), name = `knee ${axisRate(knee.carried)}`;
      draw(root, "line", { class: "knee", x1: at, x2: at, y1: box.top, y2: box.bottom });
      const left = at - 6 - widthOf(name) > box.left;
      draw(root, "text", { class: "mark", x: left ? at - 6 : at + 6, y: box.top + 11, "text-anchor": left ? "end" : "start" }, name);
    }
    for (const line of lines) {
      trace(area, order.filter(({ step }) => isOnAxis(step)).map(one => [one.x, line.of(one.step)]), line);
      for (const one of order) {
        const value = line.of(one.step);
        if (!(value > 0)) continue;
        const centre = { cx: toX(one.x), cy: toY(value), style: `--colour:${line.colour}` };
        if (one.i === chosen()) draw(root, "circle", { class: "ring", r: 8, ...centre });
        draw(root, "circle", { class: isOnAxis(one.step) ? "dot" : "dot hollow", r: 4.5, ...centre });
      }
    }
    const xs = order.map(one => toX(one.x));
    let at = -1;
    cross(area, xs, i => {
      at = i;
      const { step } = order[i];
      return [[stepName(step)], ["achieved", `${rate(achieved(step))} ${noun(step)}`],
        ...(counting(step) ? [["p50", time(counting(step).p50), "var(--s0)"], ["p99", time(counting(step).p99), "var(--s1)"]] : [])];
    });
    root.classList.add("choosing");
    root.addEventListener("click", () => { if (at >= 0) choose(order[at].i); });
    root.addEventListener("keydown", event => { if (event.key === "Enter" && at >= 0) choose(order[at].i); });
  }

  const repaints = [];
  if (late) {
    const lines = [
      { name: "p50", colour: "var(--s0)", of: step => counting(step)?.p50 },
      { name: "p99", colour: "var(--s1)", of: step => counting(step)?.p99 },
    ];
    const y = logarithmic(...logRange(lines.flatMap(line => order.map(({ step }) => line.of(step) || 0)), 1.6));
    const title = `from due to ${stage} (log scale)`;
    repaints.push(plot(parents[0], { title: "Latency", lines, keys, paint: (host, shown) => paint(host, shown, { title, y, text: axisTime, label: `Latency by ${by}` }) }));
  }
  const lines = [{ name: "achieved", colour: "var(--s2)", of: achieved }];
  const y = logarithmic(...logRange([...order.map(({ step }) => achieved(step)), ...(varied ? [] : order.map(one => one.x))], 1.3));
  const what = noun(order[0].step), ideal = what === "ticks/s" && !varied;
  repaints.push(plot(parents[1], {
    title: "Throughput", lines, keys: [...(ideal ? [["dashed", "all that is offered", "var(--soft)"]] : []), ...keys],
    paint: (host, shown) => paint(host, shown, { title: `achieved ${what} (log scale)`, y, text: axisRate, ideal, label: `Achieved by ${by}` }),
  }));
  return repaints;
}

const stepName = step => step.name ? step.name : step.offered === null ? "full speed" : `offered ${rate(step.offered)} ticks/s`;
