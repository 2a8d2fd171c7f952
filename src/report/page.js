// The page: puts each part in its place, and draws what depends on its size again when that changes.

document.querySelectorAll("[data-key]").forEach(host => shapeKey(host, +host.dataset.key));
legends();
lineChart("equity", "equity", "Equity", 250);
lineChart("fall", "under", "Drawdown", 140);
exposureChart();
priceChart();
chooser();
tradeTable();
const markRow = instrumentTable();
if (chosen >= 0) part("instrument").value = chosen;
strategyOptions(part("results-of"));
part("results-of").onchange = resultBars;

function drawBars() {
  resultBars();
  if (page.latency.every(one => !one.buckets.length)) part("times").hidden = true;
  else ["per-tick", "per-frame"].forEach((id, i) => timeBars(part(id), page.latency[i]));
}
drawAll();
drawBars();
let width = document.body.clientWidth;
new ResizeObserver(() => {
  if (document.body.clientWidth === width) return;
  width = document.body.clientWidth;
  drawAll();
  drawBars();
}).observe(document.body);
