// The price chart: candles of the instrument that is chosen, and the signals on them.

const SIDES = { 1: "buy", "-1": "sell", 0: "flat" };
// How wide a candle is at least, and how far apart marks of one strategy and side are kept, in pixels.
const CANDLE = 6, APART = 13;
let chosen = -1;

// A chart's lists of numbers, made when it is first looked at.
function unpack(chart) {
  if (chart.candles) return chart;
  const scale = 10 ** chart.d;
  chart.candles = [];
  for (let i = 0, place = 0, last = 0, before; i < chart.b.length; i += 4) {
    place += chart.b[i];
    last += chart.b[i + 1];
    const low = last - chart.b[i + 2], high = last + chart.b[i + 3], open = before === undefined ? last : before;
    chart.candles.push({ place, open: open / scale, close: last / scale, low: Math.min(low, open) / scale, high: Math.max(high, open) / scale });
    before = last;
  }
  for (const lane of chart.m) {
    lane.at = [];
    for (let i = 0, t = 0, at = 0; i < lane.m.length; i += 3) {
      t += lane.m[i];
      at += lane.m[i + 1];
      lane.at.push({ time: page.span[0] + t / 1e3, price: at / scale, side: SIDES[lane.m[i + 2]], strategy: lane.s });
    }
    lane.times = lane.at.map(mark => mark.time);
  }
  return chart;
}

// The candles of `view`, so many of the data's as one that each is wide enough.
function candlesOf(chart, { from, to }, width) {
  const pixels = chart.w / (to - from) * width;
  let each = 1;
  while (each * pixels < CANDLE) each *= 2;
  const candles = [];
  for (const one of chart.candles) {
    const place = Math.floor(one.place / each), start = chart.t + place * each * chart.w;
    if (start + each * chart.w < from || start > to) continue;
    const last = candles[candles.length - 1];
    if (last && last.place === place) {
      last.close = one.close;
      last.low = Math.min(last.low, one.low);
      last.high = Math.max(last.high, one.high);
    } else candles.push({ ...one, place, start, end: start + each * chart.w });
  }
  return candles;
}

// The marks of `view`; of those of one strategy and side that would touch, one for all.
function thinned(chart, { from, to }, width) {
  const marks = [], shown = chart.m.filter(lane => !hidden.has(lane.s)).length;
  const cell = APART * Math.max(1, Math.sqrt(shown / 2)) / width * (to - from);
  for (const lane of chart.m) {
    if (hidden.has(lane.s)) continue;
    const last = {};
    for (let i = firstFrom(lane.times, from); i < lane.at.length && lane.at[i].time <= to; i++) {
      const mark = lane.at[i], before = last[mark.side];
      if (before && mark.time - before.time < cell) before.marks.push(mark);
      else marks.push(last[mark.side] = { ...mark, marks: [mark] });
    }
  }
  return marks;
}

function priceChart() {
  const chart = () => page.instruments[chosen] && page.instruments[chosen].c;
  const plotWidth = () => Math.max(200, part("price").clientWidth - 80);
  let candles = [], marks = [];
  addChart({
    host: part("price"), height: 380, times: true,
    label: () => `Price of ${page.instruments[chosen] ? page.instruments[chosen].s : "no instrument"} with its signals over receive time`,
    empty: () => chosen < 0 ? "No instrument has a tick." : !chart() ? "This page holds charts of the instruments with the most signals only." : chart().b.length ? "No price in this stretch of time." : "No price was ever defined.",
    limits(view) {
      note();
      if (!chart() || !chart().b.length) return null;
      unpack(chart());
      candles = candlesOf(chart(), view, plotWidth());
      marks = thinned(chart(), view, plotWidth());
      if (!candles.length) return null;
      let low = Infinity, high = -Infinity;
      for (const one of candles) {
        low = Math.min(low, one.low);
        high = Math.max(high, one.high);
      }
      for (const one of marks) {
        low = Math.min(low, one.price);
        high = Math.max(high, one.price);
      }
      const room = (high - low) * 0.05;
      return { ...range(low - room, high + room), label: `${page.instruments[chosen].s}, quote unit` };
    },
    draw({ plot, toX, toY }) {
      const ways = { rise: "", fall: "" };
      let wicks = "";
      for (const { open, close, low, high, start, end } of candles) {
        const middle = (toX(start) + toX(end)) / 2, half = Math.max(1.5, Math.min(9, (toX(end) - toX(start)) * 0.34));
        const top = toY(Math.max(open, close)), bottom = Math.max(top + 1, toY(Math.min(open, close)));
        wicks += `M${middle.toFixed(1)},${toY(high).toFixed(1)}V${top.toFixed(1)}M${middle.toFixed(1)},${bottom.toFixed(1)}V${toY(low).toFixed(1)}`;
        ways[close >= open ? "rise" : "fall"] += `M${(middle - half).toFixed(1)},${top.toFixed(1)}h${(2 * half).toFixed(1)}V${bottom.toFixed(1)}h${(-2 * half).toFixed(1)}Z`;
      }
      svg(plot, "path", { class: "wick", d: wicks });
      for (const way in ways) if (ways[way]) svg(plot, "path", { class: way, d: ways[way] });
      for (const mark of marks) {
        const y = toY(mark.price) + (mark.side === "buy" ? 12 : mark.side === "sell" ? -12 : 0);
        const size = (mark.side === "flat" ? 0.7 : 1) * (mark.marks.length > 1 ? 1.3 : 1);
        svg(plot, "path", {
          class: `mark ${mark.side}`, d: SHAPES[mark.strategy % 8], style: `--strategy:${colour(mark.strategy)}`,
          transform: `translate(${toX(mark.time).toFixed(1)},${y.toFixed(1)})scale(${size.toFixed(2)})`,
        });
      }
    },
    read(time) {
      const { toX } = overTime.find(one => one.host.id === "price").area;
      const candle = candles[nearestIn(candles.map(one => (one.start + one.end) / 2), time)];
      const near = marks.filter(mark => Math.abs(toX(mark.time) - toX(time)) < 8).flatMap(mark => mark.marks);
      const most = innerWidth < 760 ? 4 : 8, listed = near.slice(0, most).map(mark => [`${page.strategies[mark.strategy].name} ${mark.side} ${iso(mark.time).slice(11, 23)}`, price(mark.price)]);
      if (near.length > most) listed.push([`and ${count(near.length - most)} more`]);
      return [[`${moment(candle.start)}, ${duration((candle.end - candle.start) / 1e3)}`], ["open", price(candle.open)], ["high", price(candle.high)],
        ["low", price(candle.low)], ["close", price(candle.close)], ...listed];
    },
  });
  function note() {
    const text = part("price-note");
    if (!chart() || !chart().b.length) return text.textContent = "";
    const lanes = chart().m, total = lanes.reduce((sum, lane) => sum + lane.n, 0), kept = lanes.reduce((sum, lane) => sum + lane.m.length / 3, 0);
    text.textContent = "Filled marks below the price buy, hollow ones above it sell, small ones on it go flat; a larger mark stands for several, which it lists. " +
      "Candles: hollow when the price rose, filled when it fell; each opens where the one before closed. The middle of the book once it was quoted, else trades. " +
      (kept < total ? `${count(kept)} of ${count(total)} signals are marked: first, last, extremes and a random sample.` : `All ${count(total)} signals are marked.`);
  }
}

// The list of instruments to choose from.
function chooser() {
  const select = part("instrument"), find = part("find"), charted = page.instruments.map((_, i) => i).filter(i => page.instruments[i].c);
  function list() {
    const query = find.value.trim().toLowerCase(), found = charted.filter(i => page.instruments[i].s.toLowerCase().includes(query));
    select.replaceChildren(...found.map(i => html(null, "option", { value: i }, page.instruments[i].s)));
    part("found").textContent = query ? `${count(found.length)} found` :
      charted.length < page.counts.instruments ? `${count(charted.length)} of ${count(page.counts.instruments)} instruments have a chart` : "";
    return found;
  }
  find.oninput = () => {
    const found = list();
    if (found.includes(chosen)) select.value = chosen; else if (found.length) choose(found[0]);
  };
  select.onchange = () => choose(+select.value);
  part("choose").onsubmit = event => event.preventDefault();
  list();
  part("choose").hidden = charted.length < 2;
  find.parentNode.hidden = charted.length < 12;
  chosen = page.first;
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
  redraw();
  if (jump) part("h-price").scrollIntoView({ block: "start" });
}
