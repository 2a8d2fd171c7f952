// A line of the latest prices in a cell of a table, drawn on its canvas.

/** The latest values of one instrument: a ring, so that nothing is allocated while it fills. */
export class Recent {
  private readonly values: Float64Array;
  private start = 0;
  private count = 0;
  /** Grows with each value. */
  version = 0;

  constructor(capacity: number) {
    this.values = new Float64Array(capacity);
  }

  /** How many values there are. */
  get length(): number {
    return this.count;
  }

  /** Adds a value; the oldest one goes where it is full. */
  push(value: number): void {
    const capacity = this.values.length;
    this.values[(this.start + this.count) % capacity] = value;
    if (this.count < capacity) this.count++;
    else this.start = (this.start + 1) % capacity;
    this.version++;
  }

  /** The value at a place, 0 for the oldest. */
  at(place: number): number {
    return this.values[(this.start + place) % this.values.length] ?? NaN;
  }

  /** Puts other values in the place of all, the oldest first. */
  replace(values: readonly number[]): void {
    this.start = 0;
    this.count = 0;
    values.slice(-this.values.length).forEach((value) => this.push(value));
  }
}

/** Draws the values over the whole canvas, which has `width` × `height` CSS pixels. */
export function drawSparkline(
  context: CanvasRenderingContext2D,
  recent: Recent,
  size: { width: number; height: number; ratio: number },
  colour: string,
): void {
  const { width, height, ratio } = size;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  if (recent.length < 2) return;
  let low = Infinity;
  let high = -Infinity;
  for (let place = 0; place < recent.length; place++) {
    const value = recent.at(place);
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const span = high - low;
  const step = (width - 3) / (recent.length - 1);
  const y = (value: number): number => (span === 0 ? height / 2 : 2 + (height - 4) * (1 - (value - low) / span));
  context.beginPath();
  for (let place = 0; place < recent.length; place++) {
    const x = 1 + place * step;
    if (place === 0) context.moveTo(x, y(recent.at(place)));
    else context.lineTo(x, y(recent.at(place)));
  }
  context.strokeStyle = colour;
  context.lineWidth = 1.25;
  context.lineJoin = "round";
  context.stroke();
  context.beginPath();
  context.arc(1 + (recent.length - 1) * step, y(recent.at(recent.length - 1)), 1.75, 0, 2 * Math.PI);
  context.fillStyle = colour;
  context.fill();
}
