// Tables: facts, strategies, instruments.

function table(host, heads, rows) {
  const element = html(null, "table");
  const head = html(html(element, "thead"), "tr");
  for (const one of heads) {
    const cell = html(head, "th", { scope: "col", ...(one.title ? { title: one.title } : {}) });
    if (!one.sort) {
      cell.textContent = one.name;
      continue;
    }
    if (one.sorted) cell.setAttribute("aria-sort", one.sorted > 0 ? "ascending" : "descending");
    html(cell, "button", { type: "button" }, one.name + (one.sorted ? (one.sorted > 0 ? " ▲" : " ▼") : "")).onclick = one.sort;
  }
  const body = html(element, "tbody");
  for (const row of rows) body.append(row);
  host.replaceChildren(element);
}

const coloured = (row, value, text) => html(row, "td", value ? { class: value > 0 ? "up" : "down" } : {}, text);
const orDash = (value, text) => value === null || value === undefined ? "–" : text(value);

// The fields of an account, by their places in the data.
const [SIGNALS, TRIPS, WINS, REALISED, OPEN, FEES, NET, DRAWDOWN, EXPOSURE] = [0, 1, 2, 3, 4, 5, 6, 7, 8];
const hitRate = account => account[TRIPS] ? account[WINS] / account[TRIPS] : null;

function runTable(host, page) {
  const { facts, rules } = page;
  const kinds = [0, 0, 0, 0];
  for (const one of page.instruments) one.n.forEach((n, i) => kinds[i] += n);
  const skipped = facts.skipped.length ? facts.skipped.map(([name, n]) => `${name} ${count(n)}`).join(", ") : "none";
  const rows = [
    ["Sources", facts.sources.join("\n")],
    ["Ticks by kind", `${count(kinds[0])} trades, ${count(kinds[1])} bids, ${count(kinds[2])} asks` + (kinds[3] ? `, ${count(kinds[3])} others` : "")],
    ["Instruments", count(page.instruments.length)],
    ["First tick received", `${moment(page.span[0])} UTC`],
    ["Last tick received", `${moment(page.span[1])} UTC`],
    ["Run took", duration(facts.elapsed_seconds)],
    ["Events skipped", skipped],
    ["Malformed lines", count(facts.bad_lines)],
    ["Duplicates and gaps", `${count(facts.duplicates)} duplicate ticks, ${count(facts.gaps)} missing ticks`],
    ["Peak memory", orDash(facts.peak_memory_bytes, n => `${plain(n / 1048576, 1)} MiB`)],
    ["Fills", `${rules.fill === "cross" ? "other side of the book" : "signal's price"}, slippage ${rules.slippage} bp, fee ${rules.fee} bp`],
    ...facts.more,
  ];
  const body = html(html(null, "table"), "tbody");
  for (const [name, text] of rows) {
    const row = html(body, "tr");
    html(row, "th", { scope: "row" }, name);
    const cell = html(row, "td");
    text.split("\n").forEach((line, i) => {
      if (i) html(cell, "br");
      cell.append(line);
    });
  }
  host.replaceChildren(body.parentNode);
}

function strategyTable(host, page, colour) {
  const heads = [
    { name: "Strategy" }, { name: "Signals" },
    { name: "Round trips", title: "Positions that were opened and closed" },
    { name: "Hit rate", title: "Share of round trips with a profit after their fees" },
    { name: "Realised" }, { name: "Open", title: "Of what is held at the end, at its last price" }, { name: "Fees" },
    { name: "Net profit", title: "Realised + open − fees" }, { name: "Max drawdown" },
    { name: "Exposure", title: "Share of the run's time with a position, mean over the instruments" },
    { name: "Not traded", title: "Signals for the position already held, or without any price" },
  ];
  table(host, heads, page.strategies.map((one, i) => {
    const row = html(null, "tr"), a = one.total;
    const name = html(row, "td");
    html(name, "span", { class: "swatch", style: `color:${colour(i)}` });
    name.append(one.name);
    html(row, "td", {}, count(a[SIGNALS]));
    html(row, "td", {}, count(a[TRIPS]));
    html(row, "td", {}, orDash(hitRate(a), percent));
    coloured(row, a[REALISED], signed(a[REALISED]));
    coloured(row, a[OPEN], signed(a[OPEN]));
    html(row, "td", {}, money(a[FEES]));
    coloured(row, a[NET], signed(a[NET]));
    html(row, "td", {}, money(a[DRAWDOWN]));
    html(row, "td", {}, percent(a[EXPOSURE]));
    html(row, "td", {}, count(one.notes[0] + one.notes[1]));
    return row;
  }));
}

const FIRST_ROWS = 50;

// The table of instruments: sorts, filters, and shows the first rows until asked for all.
function instrumentTable(host, page, choose) {
  const text = document.getElementById("filter-text"), strategy = document.getElementById("filter-strategy");
  const status = document.getElementById("filter-count");
  let sortBy = page.strategies.length ? "Signals" : "Ticks", order = -1, all = false, chosen = -1;
  html(strategy, "option", { value: "-1" }, "all strategies");
  page.strategies.forEach((one, i) => html(strategy, "option", { value: i }, one.name));

  function accountOf(one) {
    const which = +strategy.value;
    if (which >= 0) return one.a[which];
    const sum = Array(NET + 1).fill(0), given = one.a.filter(a => a);
    for (const a of given) for (let i = 0; i <= NET; i++) sum[i] += a[i];
    return page.strategies.length === 1 ? given[0] : given.length ? sum : null;
  }
  const change = one => one.p[0] ? one.p[1] / one.p[0] - 1 : null;
  const every = [
    { name: "Instrument", value: one => one.s },
    { name: "Ticks", value: one => one.n[0] + one.n[1] + one.n[2] + one.n[3], text: count },
    { name: "Trades", value: one => one.n[0], text: count },
    { name: "Quotes", value: one => one.n[1] + one.n[2], text: count, title: "Bid and ask ticks" },
    { name: "Last price", value: one => one.p[1], text: price },
    { name: "Change", value: change, text: x => (x > 0 ? "+" : "") + plain(x * 100, 2) + " %", colour: true },
    { name: "Signals", value: (_, a) => a && a[SIGNALS], text: count },
    { name: "Round trips", value: (_, a) => a && a[TRIPS], text: count },
    { name: "Hit rate", value: (_, a) => a && hitRate(a), text: percent },
    { name: "Net profit", value: (_, a) => a && a[NET], text: signed, colour: true, title: "Realised + open − fees" },
    { name: "Max drawdown", value: (_, a) => a && a[DRAWDOWN], text: money, single: true },
    { name: "Exposure", value: (_, a) => a && a[EXPOSURE], text: percent, single: true },
  ];
  function compare(x, y) {
    if (typeof x === "string") return x < y ? -1 : x > y ? 1 : 0;
    return x - y;
  }
  function draw() {
    const query = text.value.trim().toLowerCase();
    // Drawdown and exposure of several strategies do not add up.
    const columns = every.filter(one => !one.single || +strategy.value >= 0 || page.strategies.length === 1);
    if (!columns.some(one => one.name === sortBy)) sortBy = "Signals";
    const column = columns.find(one => one.name === sortBy);
    const known = value => value !== null && value !== undefined;
    const rows = [];
    page.instruments.forEach((one, i) => {
      if (one.s.toLowerCase().includes(query)) {
        const account = accountOf(one);
        rows.push({ one, i, account, key: column.value(one, account) });
      }
    });
    // What is not known goes last, whichever the order.
    rows.sort((a, b) => known(b.key) - known(a.key) || (known(a.key) ? order * compare(a.key, b.key) : 0) || a.i - b.i);
    const shown = all ? rows : rows.slice(0, FIRST_ROWS);
    const heads = columns.map(one => ({
      name: one.name, title: one.title, sorted: one === column ? order : 0,
      sort: () => {
        order = one === column ? -order : one.text ? -1 : 1;
        sortBy = one.name;
        draw();
      },
    }));
    table(host, heads, shown.map(({ one, i, account }) => {
      const row = html(null, "tr", i === chosen ? { class: "chosen" } : {});
      html(html(row, "td"), "button", { type: "button", title: "Show its chart" }, one.s).onclick = () => choose(i, true);
      for (const column of columns.slice(1)) {
        const value = column.value(one, account);
        const shown = orDash(value, column.text);
        if (column.colour) coloured(row, value, shown); else html(row, "td", {}, shown);
      }
      return row;
    }));
    if (shown.length < rows.length) {
      html(host, "button", { type: "button", class: "more" }, `Show all ${count(rows.length)}`).onclick = () => {
        all = true;
        draw();
      };
    }
    status.textContent = `${count(rows.length)} of ${count(page.instruments.length)}`;
  }
  text.oninput = strategy.onchange = draw;
  document.getElementById("filter").onsubmit = event => event.preventDefault();
  return i => {
    chosen = i;
    draw();
  };
}
