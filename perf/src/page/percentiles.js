// The percentile curves in HdrHistogram's usual form: each decade of 1/(1-p) takes the same room.

const nines = percentile => -Math.log10(1 - percentile / 100);
const percentileText = value => {
  const share = 100 - 100 / 10 ** value;
  return value < 1 ? `${Math.round(share)}` : share.toFixed(Math.max(0, Math.round(value) - 2));
};

function percentilePlot(parent, step) {
  parent.replaceChildren();
  const stages = step.stages.filter(stage => stage.count > 0);
  if (!stages.length) {
    make(parent, "p", { class: "empty" }, "No latency was measured.");
    return [];
  }
  // No curve reaches 100 %: its end stands where one tick of all is above.
  const last = Math.max(1, Math.log10(Math.max(...stages.map(stage => stage.count))));
  const lines = stages.map((stage, i) => {
    const end = Math.log10(Math.max(stage.count, 10));
    const points = [[0, Math.max(1, stage.min)]];
    for (const [percentile, ns] of curveOf(stage)) points.push([Math.min(end, nines(percentile)), Math.max(1, ns)]);
    return { name: stage.name, colour: colourOf(stage.name, i), points };
  });
  const marks = [{ value: -Math.log10(0.5), major: false }];
  for (let value = 0; value <= last; value++) marks.push({ value, major: true });
  const paint = (host, shown) => {
    const scale = { low: 0, high: last, marks, at: value => value / last };
    const times = (shown.length ? shown : lines).flatMap(line => line.points.map(([, ns]) => ns));
    const area = frame(host, {
      label: "Latency by percentile of each stage; arrow keys read values", height: 360,
      x: { scale, text: percentileText, title: "percentile, %" },
      y: { scale: logarithmic(...logRange(times)), text: axisTime, title: "from due to the stage (log scale)" },
    });
    for (const line of shown) trace(area, line.points, line);
    const { box, toX } = area, places = Math.max(2, Math.round((box.right - box.left) / 3));
    const at = i => last * i / (places - 1);
    cross(area, Array.from({ length: places }, (_, i) => toX(at(i))), i => [
      [`${readPercentile(at(i))} of ticks`],
      ...shown.map(line => [line.name, time(below(line.points, at(i))), line.colour]),
    ]);
  };
  return [plot(parent, { title: "All stages", lines, paint })];
}

// A stage without a curve still has its percentiles.
function curveOf(stage) {
  if (stage.curve.length) return stage.curve;
  return [[50, stage.p50], [90, stage.p90], [99, stage.p99], [99.9, stage.p999], [99.99, stage.p9999], [100, stage.max]];
}
// The first point at or above `value`: so many ticks took at most that.
function below(points, value) {
  const point = points.find(([x]) => x >= value - 1e-9) || points[points.length - 1];
  return point[1];
}
function readPercentile(value) {
  return `${(100 - 100 / 10 ** value).toFixed(Math.max(1, Math.ceil(value)))} %`;
}
