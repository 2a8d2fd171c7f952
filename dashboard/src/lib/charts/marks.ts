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

const taken = new Map<string, Mark>();

/** The name without the revision of its parameters: `trend` of `trend@2`. */
export function withoutRevision(lane: string): string {
  const at = lane.lastIndexOf("@");
  return at > 0 ? lane.slice(0, at) : lane;
}

/**
 * How a strategy is drawn. A name has a slot of its own that follows from the name, so that it looks the same on another
 * day; where another strategy of the page has that slot already, it gets the next free one.
 */
export function markOf(lane: string): Mark {
  const name = withoutRevision(lane);
  const known = taken.get(name);
  if (known) return known;
  const slots = SHAPES.length * COLOURS;
  const used = new Set([...taken.values()].map(slotOf));
  let slot = hash(name) % SHAPES.length;
  for (let tries = 0; tries < slots && used.has(slot); tries++) slot = (slot + 1) % slots;
  // Each round over the shapes has the colours shifted by one, so that no two rounds share a pair.
  const shape = SHAPES[slot % SHAPES.length] ?? "circle";
  const mark = { shape, colour: (slot + Math.floor(slot / SHAPES.length)) % COLOURS };
  taken.set(name, mark);
  return mark;
}

function slotOf(mark: Mark): number {
  const shape = SHAPES.indexOf(mark.shape);
  const round = (((mark.colour - shape) % COLOURS) + COLOURS) % COLOURS;
  return round * SHAPES.length + shape;
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
