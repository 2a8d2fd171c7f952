/** Fields of forms, as JSON describes them: a strategy's parameters say themselves what their form is. */

import type { ParameterView } from "../generated/orchard";

export type FieldKind = "text" | "whole" | "number" | "truth" | "choice" | "lines";

export interface Field {
  /** As the gateway knows it, also in problems. */
  readonly name: string;
  readonly label: string;
  readonly docs?: string;
  readonly kind: FieldKind;
  /** What it has where nothing is given, as text. */
  readonly fallback?: string;
  readonly isRequired?: boolean;
  readonly choices?: readonly { readonly value: string; readonly text: string }[];
  readonly placeholder?: string;
}

const WHOLE = /^[iu](8|16|32|64|128|size)$/;

/** The field for a parameter of a strategy. */
export function fieldOf({ name, kind, docs, default: fallback }: ParameterView): Field {
  const label = name.replaceAll("_", " ").replace(/^./, (first) => first.toUpperCase());
  const own: FieldKind = kind === "bool" ? "truth" : WHOLE.test(kind) ? "whole" : kind === "f64" || kind === "f32" || kind === "Price" || kind === "Size" ? "number" : "text";
  return { name, label, docs, kind: own, fallback };
}

/** What is wrong with a value before it is sent; nothing where the gateway may judge. */
export function complaint(field: Field, value: string): string | undefined {
  const text = value.trim();
  if (text === "") return field.isRequired ? "is needed" : undefined;
  if (field.kind === "whole" && !/^-?\d+$/.test(text)) return "is a whole number";
  if (field.kind === "number" && !/^-?\d+(\.\d+)?(e-?\d+)?$/i.test(text)) return "is a number";
  return undefined;
}

/** Values that differ from what the fields have by themselves. */
export function given(fields: readonly Field[], values: Readonly<Record<string, string>>): Record<string, string> {
  const changed = fields.filter(({ name, fallback }) => (values[name] ?? "").trim() !== "" && values[name]?.trim() !== fallback);
  return Object.fromEntries(changed.map(({ name }) => [name, (values[name] ?? "").trim()]));
}
