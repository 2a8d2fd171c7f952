/** A column of a `VirtualTable`. */
export interface Column<Row> {
  readonly key: string;
  readonly title: string;
  /** A track of a grid, as `minmax(96px, 1fr)`. */
  readonly width: string;
  /** Numbers stand at the end. */
  readonly align?: "end";
  /** Only where the table is at least so wide in px. */
  readonly from?: number;
  /** What the cell says. */
  readonly text?: (row: Row) => string;
  /** The classes of the cell beside its own, as `up`. */
  readonly tone?: (row: Row) => string;
  /** Draws into the cell itself, which may have been another row's: instead of `text`, for what is more than text. */
  readonly draw?: (cell: HTMLElement, row: Row) => void;
  /** Which of two rows stands first. */
  readonly order?: (a: Row, b: Row) => number;
}

/** By text, in which numbers count as such: `BTC9` before `BTC10`. */
export const byText = new Intl.Collator("en", { numeric: true }).compare;

/** By a number, those without one last. */
export function byNumber<Row>(of: (row: Row) => number | null | undefined): (a: Row, b: Row) => number {
  return (a, b) => (of(a) ?? -Infinity) - (of(b) ?? -Infinity);
}

/** Sets the text of a cell only where it changes, as each change costs a layout. */
export function setText(cell: HTMLElement, text: string): void {
  if (cell.textContent !== text) cell.textContent = text;
}
