// The page: reads the outcome (outcome.rs says what its fields are) and draws each part.

const outcome = JSON.parse(document.getElementById("data").textContent);
const part = id => document.getElementById(id);
const steps = outcome.steps, environment = outcome.environment;
let chosen = Math.max(0, steps.findIndex(step => outcome.knee && step.offered === outcome.knee.carried));
if (!outcome.knee) chosen = steps.reduce((best, step, i) => achieved(step) > achieved(steps[best]) ? i : best, 0);

function header() {
  const when = environment.at.replace("T", " ").replace(/(\.\d+)?Z$/, " UTC");
  const facts = [when, environment.processor, environment.cores ? `${environment.cores} cores` : "", environment.memory_bytes ? bytes(environment.memory_bytes) : "",
    environment.kernel, ...Object.entries(environment.versions).map(([name, version]) => `${name} ${version}`)].filter(text => text);
  part("circumstances").append(facts.join(" · "), facts.length && environment.profile ? " · " : "");
  if (environment.profile) make(part("circumstances"), "span", environment.profile === "release" ? {} : { class: "bad" }, `${environment.profile} build`);
  part("command").hidden = !environment.command;
  // Lines break between options, never within.
  environment.command.split(" ").forEach((argument, i) => {
    if (i) part("command").append(" ");
    make(part("command"), "span", {}, argument);
  });
  part("warnings").hidden = !environment.warnings.length;
  for (const text of environment.warnings) make(part("warnings"), "li", {}, text);
  const pairs = (host, list) => table(part(host), null, list.filter(([, text]) => text));
  pairs("settings", Object.entries(outcome.settings));
  pairs("environment", [
    ["processor", environment.processor], ["cores", environment.cores && `${environment.cores}`], ["memory", environment.memory_bytes && bytes(environment.memory_bytes)], ["kernel", environment.kernel],
    ...Object.entries(environment.versions), ["profile", environment.profile], ["busy before", `${percent(environment.busy)} of the cores`], ["began", when],
  ]);
}

function cards(step) {
  const totals = step.totals, stage = counting(step), host = part("headline");
  host.replaceChildren();
  const into = totals.consumed > 0 ? "ticks/s into each strategy" : "ticks/s";
  for (const [value, name] of [
    ...(totals.ticks_per_s > 0 ? [[rate(totals.ticks_per_s), into]] : []),
    ...(stage ? [[time(stage.p50), `p50, due to ${stage.name}`], [time(stage.p99), `p99, due to ${stage.name}`], [time(stage.p999), `p99.9, due to ${stage.name}`]] : []),
    [rate(totals.messages_per_s), "messages/s"],
    [`${bytes(totals.bytes_per_s)}/s`, "of ticks or bodies"],
  ]) {
    const card = make(host, "div", { class: "card" });
    make(card, "b", {}, value);
    make(card, "span", {}, name);
  }
}

// What is drawn again when the page's width changes.
let ofStep = [], ofSweep = [], markRow = () => {};

function show(i, jump) {
  chosen = i;
  const step = steps[i];
  part("step").value = i;
  const stage = counting(step);
  part("step-note").textContent = `${rate(achieved(step))} ${noun(step)} achieved` + (stage ? `, p99 ${time(stage.p99)}` : "");
  cards(step);
  ofStep = [...overTime(part("over-time"), step), ...percentilePlot(part("percentiles"), step)];
  part("over-time-note").textContent = seriesNote(step);
  part("h-time").parentNode.hidden = !step.series.length;
  part("drift").parentNode.hidden = !step.drift;
  part("h-percentiles").parentNode.hidden = !step.stages.some(stage => stage.count > 0);
  stageTable(part("stages"), part("stages-note"), step);
  totalsTable(part("totals"), step);
  driftTable(part("drift"), step.drift);
  markRow(i);
  ofSweep.forEach(repaint => repaint());
  if (jump) part("chooser").scrollIntoView({ block: "start" });
}

function sweep() {
  part("rates").hidden = part("chooser").hidden = false;
  steps.forEach((step, i) => make(part("step"), "option", { value: i }, stepName(step)));
  part("step").onchange = event => show(+event.target.value);
  const varied = variedOption(steps);
  if (varied) part("h-rates").textContent = `By ${varied.option}`;
  markRow = ratesTable(part("rates-table"), steps, show, varied);
  ofSweep = ratePlots([part("rates-latency"), part("rates-achieved")], steps, outcome.knee, () => chosen, show, varied);
  const knee = outcome.knee;
  part("rates-note").textContent = !knee ? "" : `The knee is the highest offered rate that was carried within the limit: ${rate(knee.carried)} ticks/s.` +
    (knee.refused ? ` From ${rate(knee.refused)} on (shaded) it was not.` : " No rate was too much.");
}

header();
if (steps.length > 1) sweep();
if (steps.length) show(chosen);
else document.querySelectorAll("main > section:not([aria-labelledby=h-settings])").forEach(section => { section.hidden = true; });
let width = document.body.clientWidth;
new ResizeObserver(() => {
  if (document.body.clientWidth === width) return;
  width = document.body.clientWidth;
  for (const repaint of [...ofSweep, ...ofStep]) repaint();
}).observe(document.body);
