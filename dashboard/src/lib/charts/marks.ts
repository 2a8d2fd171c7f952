// One shape and one colour a strategy, the same on every page: who cannot tell the colours apart tells the shapes.

/** Shapes that stay distinct at 10 px. */
export const SHAPES = ["circle", "square", "diamond", "triangle", "plus", "star"] as const;

/** The shape of a strategy's marks. */
export type Shape = (typeof SHAPES)[number];

/** How a strategy is drawn. */
export interface Mark {
  /** Its shape. */
  shape: Shape;
  /** The place of its colour among the tokens `--series-1` and following. */
  colour: number;
}

/** As many colours as tokens. */
export const COLOURS = 6;

/** Where the slots that were given are kept, so that a strategy looks the same on every page and day of this browser. */
const KEPT = "orchard.marks";
/** With more names than these it begins anew. */
const MOST_KEPT = 200;

const taken = new Map<string, number>(kept());

function kept(): [string, number][] {
  try {
    const known: unknown = JSON.parse(localStorage.getItem(KEPT) ?? "{}");
    return Object.entries(known as Record<string, unknown>).filter((one): one is [string, number] => Number.isInteger(one[1]) && Number(one[1]) >= 0);
  } catch {
    return [];
  }
}

function keep(): void {
  try {
    localStorage.setItem(KEPT, JSON.stringify(Object.fromEntries(taken)));
  } catch {
    // Without a place for it marks follow from names alone.
  }
}

/** The name without the revision of its parameters: `trend` of `trend@2`. */
export function withoutRevision(lane: string): string {
  const at = lane.lastIndexOf("@");
  return at > 0 ? lane.slice(0, at) : lane;
}

/**
 * How a strategy is drawn. A name has a slot of its own that follows from the name; where another strategy has that slot
 * already, it gets the next free one, and keeps it.
 */
export function markOf(lane: string): Mark {
  const name = withoutRevision(lane);
  const known = taken.get(name);
  if (known !== undefined) return drawn(known);
  if (taken.size >= MOST_KEPT) taken.clear();
  const slots = SHAPES.length * COLOURS;
  const used = new Set(taken.values());
  let slot = hash(name) % SHAPES.length;
  for (let tries = 0; tries < slots && used.has(slot); tries++) slot = (slot + 1) % slots;
  taken.set(name, slot);
  keep();
  return drawn(slot);
}

/** Each round over the shapes has the colours shifted by one, so that no two rounds share a pair. */
function drawn(slot: number): Mark {
  return { shape: SHAPES[slot % SHAPES.length] ?? "circle", colour: (slot + Math.floor(slot / SHAPES.length)) % COLOURS };
}

function hash(text: string): number {
  let value = 2166136261;
  for (let place = 0; place < text.length; place++) {
    value = Math.imul(value ^ text.charCodeAt(place), 16777619);
  }
  return value >>> 0;
}

/** Points of a shape around the origin that fit a circle of radius 1; a circle has none. */
const CORNERS: Record<Exclude<Shape, "circle">, readonly (readonly [number, number])[]> = {
  square: [[-0.82, -0.82], [0.82, -0.82], [0.82, 0.82], [-0.82, 0.82]],
  diamond: [[0, -1.1], [1.1, 0], [0, 1.1], [-1.1, 0]],
  triangle: [[0, -1.05], [1.05, 0.85], [-1.05, 0.85]],
  plus: [
    [-0.38, -1.05], [0.38, -1.05], [0.38, -0.38], [1.05, -0.38], [1.05, 0.38], [0.38, 0.38],
    [0.38, 1.05], [-0.38, 1.05], [-0.38, 0.38], [-1.05, 0.38], [-1.05, -0.38], [-0.38, -0.38],
  ],
  star: Array.from({ length: 10 }, (_, corner) => {
    const angle = (corner * Math.PI) / 5 - Math.PI / 2;
    const radius = corner % 2 === 0 ? 1.15 : 0.5;
    return [Math.cos(angle) * radius, Math.sin(angle) * radius] as const;
  }),
};

/** Adds the outline of a shape to a canvas' path. */
export function trace(context: CanvasRenderingContext2D, shape: Shape, x: number, y: number, radius: number): void {
  context.beginPath();
  if (shape === "circle") {
    context.arc(x, y, radius, 0, 2 * Math.PI);
    return;
  }
  CORNERS[shape].forEach(([cx, cy], corner) => {
    if (corner === 0) context.moveTo(x + cx * radius, y + cy * radius);
    else context.lineTo(x + cx * radius, y + cy * radius);
  });
  context.closePath();
}

/** The same outline as the `d` of an SVG path. */
export function pathOf(shape: Shape, x: number, y: number, radius: number): string {
  if (shape === "circle") {
    return `M${x - radius} ${y}a${radius} ${radius} 0 1 0 ${2 * radius} 0a${radius} ${radius} 0 1 0 ${-2 * radius} 0z`;
  }
  const corners = CORNERS[shape].map(([cx, cy]) => `${round(x + cx * radius)} ${round(y + cy * radius)}`);
  return `M${corners.join("L")}z`;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
