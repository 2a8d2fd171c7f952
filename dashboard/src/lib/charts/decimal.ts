// Prices and money come as decimal text. They are computed nowhere here: what is drawn becomes a number, what is shown is cut
// and grouped as text.

/** As a number, for drawing and sorting; NaN where there is none. */
export function toNumber(text: string | null | undefined): number {
  return text === null || text === undefined || text === "" ? NaN : Number(text);
}

/** How many digits stand behind the point, without zeros at the end. */
export function decimals(text: string): number {
  const point = text.indexOf(".");
  if (point < 0) return 0;
  let end = text.length;
  while (end > point + 1 && text[end - 1] === "0") end--;
  return end - point - 1;
}
