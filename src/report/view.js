// The stretch of receive time that all charts over time show together, and how it is moved: wheel, drag,
// pinch, keyboard, buttons. A chart is {host, label, height, limits(view), draw(area, view), read(time)}.

const view = { from: page.span[0], to: page.span[1] > page.span[0] ? page.span[1] : page.span[0] + 1 };
const whole = { ...view };
const shortest = Math.max(1, Math.min((whole.to - whole.from) / 2000, 1000), (whole.to - whole.from) / 1e6);
const overTime = [];
let due = 0, scrolled = 0, cursor = null;

const isZoomed = () => view.to - view.from < (whole.to - whole.from) * 0.9999;

function redraw() {
  if (!due) due = requestAnimationFrame(drawAll);
}

function drawAll() {
  due = 0;
  const shown = overTime.filter(chart => !chart.host.hidden);
  const limits = shown.map(chart => {
    const y = chart.limits(view);
    if (!y) return null;
    y.ticks = steps(y.low, y.high, Math.max(2, Math.round(chart.height / 42)));
    y.text ||= value => plain(value, decimalsOf(y.ticks.step));
    return y;
  });
  const left = 14 + GLYPH * Math.max(4, ...limits.flatMap(y => y ? y.ticks.at.map(value => y.text(value).length) : []));
  shown.forEach((chart, i) => {
    const y = limits[i];
    chart.area = null;
    if (!y) return chart.host.replaceChildren(html(null, "p", { class: "empty" }, chart.empty()));
    const area = chart.area = frame(chart.host, { label: chart.label(), height: chart.height, y, left: Math.min(left, 110), view, times: chart.times });
    chart.draw(area, view);
    area.cross = svg(area.root, "line", { class: "cross", y1: area.box.top, y2: area.box.bottom, visibility: "hidden" });
    area.tip = html(chart.host, "div", { class: "tip", hidden: "" });
  });
  const text = `${moment(view.from).slice(0, 19)} to ${moment(view.to).slice(isOneDay() ? 11 : 0, 19)} UTC`;
  document.querySelectorAll(".span").forEach(element => element.textContent = text);
  document.querySelectorAll("[data-zoom=whole], [data-zoom=out]").forEach(button => button.disabled = !isZoomed());
  if (cursor) point(cursor.chart, cursor.time);
}
const isOneDay = () => iso(view.from).slice(0, 10) === iso(view.to).slice(0, 10);

function show(from, to) {
  const length = Math.max(shortest, Math.min(to - from, whole.to - whole.from));
  const start = Math.max(whole.from, Math.min(from, whole.to - length));
  view.from = start;
  view.to = start + length;
  redraw();
}
function zoom(factor, around) {
  const length = (view.to - view.from) * factor, share = (around - view.from) / (view.to - view.from);
  const bounded = Math.max(shortest, length);
  show(around - bounded * share, around + bounded * (1 - share));
}
const pan = share => show(view.from + (view.to - view.from) * share, view.to + (view.to - view.from) * share);

// The cross of all charts, and the values of the one that was pointed at.
function point(chart, time) {
  cursor = { chart, time };
  for (const one of overTime) {
    if (!one.area) continue;
    const { cross, tip, toX, box } = one.area, x = toX(time), inside = x >= box.left - 1 && x <= box.right + 1;
    cross.setAttribute("visibility", inside ? "visible" : "hidden");
    cross.setAttribute("x1", x);
    cross.setAttribute("x2", x);
    tip.hidden = one !== chart || !inside;
    if (tip.hidden) continue;
    fillTip(tip, one.read(time));
    const width = one.host.clientWidth, right = x + 14 + tip.offsetWidth < width;
    tip.style.left = `${right ? x + 14 : Math.max(0, Math.min(x - 14 - tip.offsetWidth, width - tip.offsetWidth))}px`;
  }
}
function fillTip(tip, lines) {
  tip.replaceChildren(...lines.map(([name, value]) => {
    const line = html(null, "div");
    html(line, "span", {}, name);
    if (value !== undefined) html(line, "span", {}, value);
    return line;
  }));
}
function unpoint() {
  cursor = null;
  for (const { area } of overTime) if (area) {
    area.cross.setAttribute("visibility", "hidden");
    area.tip.hidden = true;
  }
}

function timeAt(chart, clientX) {
  const { box } = chart.area, x = clientX - chart.host.getBoundingClientRect().left;
  const share = Math.max(0, Math.min(1, (x - box.left) / (box.right - box.left)));
  return view.from + (view.to - view.from) * share;
}

function addChart(chart) {
  const { host } = chart, touches = new Map();
  let drag = null;
  overTime.push(chart);
  host.tabIndex = 0;
  host.setAttribute("role", "group");
  host.setAttribute("aria-label", `${chart.label()}. Arrow keys read values, plus and minus zoom, Shift with arrows pans, 0 shows all.`);
  host.addEventListener("wheel", event => {
    // Who scrolls through the page is not stopped by a chart that comes under the pointer.
    const outwards = event.deltaY > 0 && !isZoomed();
    if (!chart.area || outwards || performance.now() - scrolled < 200) return;
    event.preventDefault();
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) return pan((event.deltaX || event.deltaY) / 1000);
    const lines = event.deltaMode === 1 ? 20 : 1;
    zoom(Math.exp(Math.max(-240, Math.min(240, event.deltaY * lines)) * (event.ctrlKey ? 0.01 : 0.002)), timeAt(chart, event.clientX));
  }, { passive: false });
  host.addEventListener("pointerdown", event => {
    if (!chart.area || event.button) return;
    host.setPointerCapture(event.pointerId);
    touches.set(event.pointerId, event.clientX);
    drag = grip(chart, touches, event);
    point(chart, timeAt(chart, event.clientX));
  });
  host.addEventListener("pointermove", event => {
    if (!chart.area) return;
    if (touches.has(event.pointerId)) {
      touches.set(event.pointerId, event.clientX);
      if (drag && drag.move(event)) return;
    }
    point(chart, timeAt(chart, event.clientX));
  });
  const release = event => {
    if (!touches.delete(event.pointerId) || !drag) return;
    drag.end(event);
    drag = touches.size ? grip(chart, touches, event) : null;
  };
  host.addEventListener("pointerup", release);
  host.addEventListener("pointercancel", release);
  // A tap leaves its values on the screen; a mouse that goes takes them along.
  host.addEventListener("pointerleave", event => event.pointerType === "mouse" && !drag && unpoint());
  host.addEventListener("blur", unpoint);
  host.addEventListener("dblclick", () => show(whole.from, whole.to));
  host.addEventListener("keydown", event => key(chart, event));
}

// What a pressed mouse or fingers do: one pans, Shift and a mouse choose a stretch, two pinch.
function grip(chart, touches, event) {
  const { box, root } = chart.area, width = box.right - box.left, from = { ...view };
  const [a, b] = [...touches.values()];
  if (b !== undefined) {
    const middle = timeAt(chart, (a + b) / 2), distance = Math.max(10, Math.abs(a - b));
    return {
      move() {
        const [c, d] = [...touches.values()], length = (from.to - from.from) * distance / Math.max(10, Math.abs(c - d));
        const x = ((c + d) / 2 - chart.host.getBoundingClientRect().left - box.left) / width;
        show(middle - length * x, middle + length * (1 - x));
        return true;
      },
      end() {},
    };
  }
  if (event.shiftKey) {
    const start = timeAt(chart, a), band = svg(root, "rect", { class: "choice", y: box.top, height: box.bottom - box.top });
    let end = start;
    return {
      move(event) {
        end = timeAt(chart, event.clientX);
        const x = chart.area.toX(Math.min(start, end));
        band.setAttribute("x", x);
        band.setAttribute("width", chart.area.toX(Math.max(start, end)) - x);
        return true;
      },
      end() {
        band.remove();
        if (Math.abs(end - start) * width > 4 * (view.to - view.from)) show(Math.min(start, end), Math.max(start, end));
      },
    };
  }
  let moved = false;
  return {
    move(event) {
      if (!isZoomed()) return false;
      if (!moved && Math.abs(event.clientX - a) < 4) return true;
      moved = true;
      const shift = (a - event.clientX) / width * (from.to - from.from);
      show(from.from + shift, from.to + shift);
      return true;
    },
    end() {},
  };
}

function key(chart, event) {
  if (!chart.area || event.ctrlKey || event.metaKey || event.altKey) return;
  const { box } = chart.area, step = (view.to - view.from) / (box.right - box.left) * 4;
  const time = cursor ? cursor.time : (view.from + view.to) / 2;
  const to = at => point(chart, Math.max(view.from, Math.min(view.to, at)));
  const actions = {
    ArrowLeft: () => event.shiftKey ? pan(-0.2) : to(time - step), ArrowRight: () => event.shiftKey ? pan(0.2) : to(time + step),
    PageUp: () => to(time - 20 * step), PageDown: () => to(time + 20 * step), Home: () => to(view.from), End: () => to(view.to),
    "+": () => zoom(0.6, time), "=": () => zoom(0.6, time), "-": () => zoom(1 / 0.6, time), "0": () => show(whole.from, whole.to), Escape: unpoint,
  };
  if (!actions[event.key]) return;
  event.preventDefault();
  actions[event.key]();
}

window.addEventListener("scroll", () => scrolled = performance.now(), { passive: true });
document.querySelectorAll("[data-zoom]").forEach(button => button.addEventListener("click", () => {
  const middle = (view.from + view.to) / 2;
  ({ in: () => zoom(0.5, middle), out: () => zoom(2, middle), left: () => pan(-0.5), right: () => pan(0.5), whole: () => show(whole.from, whole.to) })[button.dataset.zoom]();
}));
