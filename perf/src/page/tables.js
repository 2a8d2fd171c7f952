// Tables: a heading row, then rows whose first cell is a name. A cell is a text, or {text, class}.

function table(host, head, rows) {
  host.replaceChildren();
  const table = make(host, "table");
  if (head) {
    const row = make(make(table, "thead"), "tr");
    for (const name of head) make(row, "th", { scope: "col" }, name);
  }
  const body = make(table, "tbody");
  for (const cells of rows) {
    const row = make(body, "tr");
    cells.forEach((cell, i) => {
      const { text, class: kind, colour } = typeof cell === "object" ? cell : { text: cell };
      const element = make(row, i ? "td" : "th", { class: kind, scope: i ? undefined : "row" });
      if (colour) make(element, "span", { class: "swatch", style: `color:${colour}` });
      element.append(text);
    });
  }
  return [...body.children];
}

function stageTable(host, note, step) {
  const columns = [["min", "min"], ["p50", "p50", 0.5], ["p90", "p90", 0.9], ["p99", "p99", 0.99], ["p99.9", "p999", 0.999], ["p99.99", "p9999", 0.9999], ["max", "max"]];
  let few = false;
  const rows = step.stages.map((stage, i) => [
    { text: stage.name, colour: colourOf(stage.name, i) },
    ...columns.map(([, field, share]) => {
      if (!stage.count) return MISSING;
      // Ten ticks above a percentile are the least that say where it is.
      const vague = share && stage.count * (1 - share) < 10;
      few ||= vague;
      return { text: time(stage[field]), class: vague ? "few" : undefined };
    }),
    count(stage.count),
  ]);
  table(host, ["stage", ...columns.map(([name]) => name), "ticks"], rows);
  note.textContent = few ? "Grey: fewer than ten ticks were above, so the figure is by chance." : "";
}

function totalsTable(host, step) {
  const totals = step.totals, per = n => step.seconds > 0 ? n / step.seconds : NaN;
  const rows = [["sent", "sent"], ["confirmed", "confirmed"], ["consumed, all strategies", "consumed"], ["committed, all strategies", "committed"]]
    .filter(([, field]) => totals[field] > 0)
    .map(([name, field]) => [`Ticks ${name}`, count(totals[field]), `${rate(per(totals[field]))}/s`]);
  rows.push(["Messages", count(totals.messages), `${rate(totals.messages_per_s)}/s`]);
  rows.push(["Bytes", bytes(totals.bytes), `${bytes(totals.bytes_per_s)}/s`]);
  rows.push(["Measured", `${short(step.seconds)} s`, ""]);
  rows.push(["Measuring took of the cores", percent(step.overhead), ""]);
  table(host, ["", "sum", "per second"], rows);
}

function driftTable(host, drift) {
  if (!drift) return host.replaceChildren(make(null, "p", { class: "empty" }, "Too short for a comparison of its quarters."));
  const rows = [["Memory of this process", "memory", bytes], ["Open files", "files", n => short(n)], ["Memory of brokers", "broker_memory", bytes],
    ["Messages in queues", "queued", rate], ["p50 of a second, median", "p50", time], ["p99 of a second, median", "p99", time]]
    .filter(([, field]) => drift[field])
    .map(([name, field, text]) => {
      const [first, last] = drift[field], change = first > 0 ? (last / first - 1) * 100 : null;
      const size = change === null ? MISSING : `${change >= 0 ? "+" : "−"}${Math.abs(change).toFixed(1)} %`;
      return [name, text(first), text(last), size];
    });
  table(host, ["", "first", "last", "change"], rows);
}

function ratesTable(host, steps, choose, varied) {
  const rows = steps.map((step, i) => {
    const stage = counting(step), share = step.offered > 0 && step.totals.ticks_per_s > 0 ? step.totals.ticks_per_s / step.offered : null;
    return [
      varied ? varied.text(varied.values[i]) : step.name ? step.name : step.offered === null ? "full speed" : rate(step.offered), rate(step.totals.ticks_per_s), { text: percent(share), class: share !== null && share < 0.98 ? "bad" : undefined },
      rate(step.totals.messages_per_s), bytes(step.totals.bytes_per_s), ...["p50", "p99", "p999", "max"].map(field => stage ? time(stage[field]) : MISSING),
    ];
  });
  const drawn = table(host, [varied ? varied.option : "offered ticks/s", "achieved", "of offered", "messages/s", "bytes/s", "p50", "p99", "p99.9", "max"], rows);
  drawn.forEach((row, i) => {
    const cell = make(null, "td"), button = make(cell, "button", { type: "button", title: "Show this step below" }, row.firstChild.textContent);
    button.onclick = () => choose(i, true);
    row.firstChild.replaceWith(cell);
  });
  return i => drawn.forEach((row, k) => row.classList.toggle("chosen", k === i));
}
