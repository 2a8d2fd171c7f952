// Tables of instruments and round trips: sorted, filtered, a page at a time, and as CSV.

const orDash = (value, text) => value === null || value === undefined ? "–" : text(value);
const ROWS = innerWidth < 760 ? 10 : 25;

// On a phone each row is a card, whose values have their columns' names beside them.
function table(host, columns, rows, kind = "") {
  const element = html(null, "table", { class: `stack cards ${kind}` }), head = html(html(element, "thead"), "tr");
  for (const one of columns) {
    const cell = html(head, "th", { scope: "col", ...(one.title ? { title: one.title } : {}) });
    if (!one.sort) {
      cell.textContent = one.name;
      continue;
    }
    if (one.sorted) cell.setAttribute("aria-sort", one.sorted > 0 ? "ascending" : "descending");
    html(cell, "button", { type: "button" }, one.name + (one.sorted ? (one.sorted > 0 ? " ▲" : " ▼") : "")).onclick = one.sort;
  }
  const body = html(element, "tbody");
  for (const cells of rows) {
    const row = html(body, "tr", cells.chosen ? { class: "chosen" } : {});
    cells.forEach((cell, i) => {
      const tone = cell.tone > 0 ? "up" : cell.tone < 0 ? "down" : "";
      const td = html(row, "td", { ...(tone ? { class: tone } : {}), "data-l": columns[i].name });
      if (cell.node) td.append(cell.node); else td.textContent = cell.text;
    });
  }
  const scroll = html(null, "div", { class: "scroll" });
  scroll.append(element);
  host.replaceChildren(scroll);
}

function pager(host, from, all, go) {
  if (all <= ROWS) return;
  const bar = html(host, "div", { class: "controls pager" });
  const button = (text, to, disabled) => {
    const one = html(bar, "button", { type: "button", "aria-label": text === "‹" ? "Previous rows" : "Next rows" }, text);
    one.disabled = disabled;
    one.onclick = () => go(to);
  };
  button("‹", Math.max(0, from - ROWS), from === 0);
  html(bar, "span", { class: "note" }, `${count(from + 1)} to ${count(Math.min(all, from + ROWS))} of ${count(all)}`);
  button("›", from + ROWS, from + ROWS >= all);
}

function strategyOptions(select, first) {
  if (first) html(select, "option", { value: "-1" }, first);
  page.strategies.forEach((one, i) => html(select, "option", { value: i }, one.name));
  select.parentNode.hidden = page.strategies.length < 2;
}

// The places of an account's fields in the data.
const [SIGNALS, TRIPS, HIT, NET, NET_PERCENT, SHARPE, FALL, FALL_PERCENT, EXPOSURE] = [0, 1, 2, 3, 4, 5, 6, 7, 8];

function instrumentTable() {
  const host = part("instruments"), text = part("filter-text"), strategy = part("filter-strategy"), status = part("filter-count");
  const several = page.strategies.length > 1;
  let sortBy = page.strategies.length ? "Signals" : "Ticks", order = -1, from = 0;
  strategyOptions(strategy, "all strategies");
  const accountOf = one => +strategy.value >= 0 ? one.a[+strategy.value] : several ? one.z : one.a[0];
  const of = place => (_, account) => account && account[place];
  const every = [
    { name: "Instrument", value: one => one.s },
    { name: "Ticks", value: one => one.n[0], text: count },
    { name: "Last price", value: one => one.p, text: price },
    { name: "Change", value: one => one.q, text: signedPercent, tone: true, title: "Of the price, from the first to the last" },
    { name: "Signals", value: of(SIGNALS), text: count },
    { name: "Round trips", value: of(TRIPS), text: count },
    { name: "Hit rate", value: of(HIT), text: n => `${plain(n, 1)} %` },
    { name: "Net profit", value: of(NET), text: signed, tone: true, title: "Realised + open − fees" },
    { name: "In percent", value: of(NET_PERCENT), text: signedPercent, tone: true, single: true, title: "Net profit in percent of the capital, or of the first price" },
    { name: "Sharpe", value: of(SHARPE), text: n => plain(n, 2), single: true },
    { name: "Max drawdown", value: of(FALL), text: money, single: true },
    { name: "Drawdown %", value: of(FALL_PERCENT), text: percent, single: true },
    { name: "Exposure", value: of(EXPOSURE), text: n => `${plain(n, 1)} %`, single: true },
  ];
  const compare = (x, y) => typeof x === "string" ? (x < y ? -1 : x > y ? 1 : 0) : x - y;
  const known = value => value !== null && value !== undefined;
  function draw() {
    const query = text.value.trim().toLowerCase();
    // Drawdowns, ratios and exposures of several strategies do not add up.
    const columns = every.filter(one => !one.single || !several || +strategy.value >= 0);
    const column = columns.find(one => one.name === sortBy) || columns[4];
    const rows = [];
    page.instruments.forEach((one, i) => {
      if (!one.s.toLowerCase().includes(query)) return;
      const account = accountOf(one);
      rows.push({ one, i, account, key: column.value(one, account) });
    });
    // What is not known goes last, whichever the order.
    rows.sort((a, b) => known(b.key) - known(a.key) || (known(a.key) ? order * compare(a.key, b.key) : 0) || a.i - b.i);
    from = Math.min(from, Math.max(0, Math.floor((rows.length - 1) / ROWS) * ROWS));
    const heads = columns.map(one => ({
      ...one, sorted: one === column ? order : 0,
      sort() {
        order = one === column ? -order : one.text ? -1 : 1;
        sortBy = one.name;
        from = 0;
        draw();
      },
    }));
    table(host, heads, rows.slice(from, from + ROWS).map(({ one, i, account }) => {
      const name = html(null, "button", { type: "button", title: "Show its chart" }, one.s);
      name.onclick = () => choose(i, true);
      const cells = columns.map((column, k) => {
        const value = column.value(one, account);
        return k ? { text: orDash(value, column.text), tone: column.tone ? value : 0 } : { node: name };
      });
      cells.chosen = i === chosen;
      return cells;
    }));
    pager(host, from, rows.length, to => {
      from = to;
      draw();
    });
    const all = page.counts.instruments, left = all > page.instruments.length ? `; the page has ${count(page.instruments.length)} of ${count(all)}, those with the most signals` : "";
    status.textContent = `${count(rows.length)} of ${count(page.instruments.length)}${left}`;
  }
  text.oninput = strategy.onchange = () => {
    from = 0;
    draw();
  };
  part("filter").onsubmit = event => event.preventDefault();
  draw();
  return draw;
}

// Times are exact: in ns, as whole numbers of any size.
function unpackTrades() {
  let at = BigInt(page.start);
  return page.trades.rows.map(([strategy, symbol, side, since, held, entry, exit, fees, profit, share]) => {
    at += BigInt(since);
    return { strategy, symbol: page.trades.symbols[symbol], side: side > 0 ? "long" : "short", opened: at - BigInt(held), closed: at, held, entry, exit, fees, profit, share };
  });
}

function tradeTable() {
  const host = part("trades"), strategy = part("trades-strategy"), symbol = part("trades-symbol"), all = unpackTrades();
  let from = 0, sortBy = "", order = 1, shown = all;
  strategyOptions(strategy, "all strategies");
  symbol.parentNode.hidden = page.trades.symbols.length < 2;
  const ms = ns => Number(ns / 1000n) / 1000;
  const columns = [
    { name: "Strategy", value: one => one.strategy, text: i => page.strategies[i] ? page.strategies[i].name : "–" },
    { name: "Instrument", value: one => one.symbol, text: text => text },
    { name: "Side", value: one => one.side, text: text => text },
    { name: "Opened (UTC)", value: one => ms(one.opened), text: moment },
    { name: "Held", value: one => one.held / 1e9, text: duration },
    { name: "Entry", value: one => one.entry, text: price },
    { name: "Exit", value: one => one.exit, text: price },
    { name: "Fees", value: one => one.fees, text: money },
    { name: "Profit", value: one => one.profit, text: signed, tone: true, title: "After slippage and fees" },
    { name: "In percent", value: one => one.share, text: signedPercent, tone: true, title: "Profit in percent of the entry price" },
  ];
  function draw() {
    const query = symbol.value.trim().toLowerCase();
    shown = all.filter(one => (+strategy.value < 0 || one.strategy === +strategy.value) && one.symbol.toLowerCase().includes(query));
    const column = columns.find(one => one.name === sortBy);
    if (column) shown.sort((a, b) => {
      const [x, y] = [column.value(a), column.value(b)];
      return order * (x < y ? -1 : x > y ? 1 : 0);
    });
    const heads = columns.map(one => ({
      ...one, sorted: one === column ? order : 0,
      sort() {
        order = one === column ? -order : one.tone ? -1 : 1;
        sortBy = one.name;
        from = 0;
        draw();
      },
    }));
    if (!shown.length) host.replaceChildren(html(null, "p", { class: "empty" }, all.length ? "None of these." : "No round trip was closed."));
    else table(host, heads, shown.slice(from, from + ROWS).map(one => columns.map((column, i) => {
      const value = column.value(one), text = orDash(value, column.text);
      if (i !== 3) return { text, tone: column.tone ? value : 0 };
      const show = html(null, "button", { type: "button", title: "Show it in the chart" }, text);
      show.onclick = () => showTrade(one);
      return { node: show };
    })), "trips");
    pager(host, from, shown.length, to => {
      from = to;
      draw();
    });
    part("trades-count").textContent = `${count(shown.length)} of ${count(page.trades.count)}`;
  }
  // The chart around a round trip, with three times its length.
  function showTrade(one) {
    const [opened, closed] = [ms(one.opened), ms(one.closed)], around = Math.max(closed - opened, shortest * 10);
    const place = page.instruments.findIndex(row => row.s === one.symbol && row.c);
    show(opened - around, closed + around);
    if (place >= 0) choose(place, true);
  }
  strategy.onchange = symbol.oninput = () => {
    from = 0;
    draw();
  };
  part("trades-filter").onsubmit = event => event.preventDefault();
  part("csv").hidden = !all.length;
  part("csv").onclick = () => download(shown);
  draw();
}

const exact = n => String(n).includes("e") ? n.toFixed(9).replace(/\.?0+$/, "") : String(n);
const field = text => /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
function download(trades) {
  const rows = trades.map(one => [page.run, field(page.strategies[one.strategy].name), field(one.symbol), one.side === "long" ? "buy" : "sell", one.opened, one.closed,
    ...[one.entry, one.exit, one.fees, one.profit].map(exact)].join(","));
  const text = [page.trades.columns, ...rows].join("\n") + "\n";
  const link = html(null, "a", { download: "trades.csv" }), address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.href = address;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}
