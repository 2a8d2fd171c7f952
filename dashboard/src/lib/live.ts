/** Values that change often, outside of Svelte's reactivity: who shows one draws it at most once a frame. */

const waiting = new Set<() => void>();
let isAsked = false;

function draw(): void {
  isAsked = false;
  const now = [...waiting];
  waiting.clear();
  for (const each of now) each();
}

/** Calls each function once, when the next frame is drawn, however often it was asked for. A page that is not shown draws nothing. */
export function nextFrame(callback: () => void): void {
  waiting.add(callback);
  if (isAsked) return;
  isAsked = true;
  requestAnimationFrame(draw);
}

/** What changes, and who draws it. */
export class Changes {
  readonly #draws = new Set<() => void>();

  /** Draws now, and in a frame after each change, until what is returned is called. */
  subscribe(draw: () => void): () => void {
    this.#draws.add(draw);
    draw();
    return () => {
      this.#draws.delete(draw);
      waiting.delete(draw);
    };
  }

  /** Something has changed. */
  changed(): void {
    for (const each of this.#draws) nextFrame(each);
  }
}

/** One value that changes. */
export class Live<T> extends Changes {
  #value: T;

  constructor(value: T) {
    super();
    this.#value = value;
  }

  get value(): T {
    return this.#value;
  }

  set value(value: T) {
    this.#value = value;
    this.changed();
  }
}
