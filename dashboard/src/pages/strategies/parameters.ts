// Forms made of the documentation of parameters.

import { fieldOf, type Field } from "../../lib/fields";
import type { StrategyView } from "../../generated/orchard";

/** The fields of a strategy's parameters; of a deployment they say what holds now rather than what holds where nothing is given. */
export function parameterFields(strategy: StrategyView, current?: Readonly<Record<string, string>>): Field[] {
  return strategy.parameters.map((parameter) => {
    const field = fieldOf(parameter);
    const now = current?.[parameter.name];
    if (now === undefined) return field;
    const { fallback: _, ...others } = field;
    return { ...others, docs: `${parameter.docs} Now ${now}.`, placeholder: now };
  });
}

/** What a strategy was refused for, by its parameter; `""` has what belongs to none. */
export function refusals(reason: string | null | undefined, names: readonly string[]): Record<string, string> {
  if (!reason) return {};
  // A list of what there is names parameters that are not wrong.
  if (/there is no (parameter|strategy)/.test(reason)) return { "": reason };
  const invalid = /^(?:.*: )?(\w+) = '(.*)' is not a valid (\w+)/s.exec(reason);
  if (invalid?.[1] && names.includes(invalid[1])) return { [invalid[1]]: `is '${invalid[2]}', which is no ${invalid[3]}` };
  const named = names.filter((name) => new RegExp(`\\b${name}\\b`).test(reason));
  if (named.length === 0) return { "": reason };
  return Object.fromEntries(named.map((name) => [name, `is refused: ${reason}`]));
}

/** All parameters of an instance, those that were not given with what they are then. */
export function wholeOf(parameters: Readonly<Record<string, string>> | undefined, strategy: StrategyView | undefined): Record<string, string> {
  const usual = (strategy?.parameters ?? []).map(({ name, default: value }) => [name, value]);
  return { ...Object.fromEntries(usual), ...parameters };
}

/** `fast 8 · slow 26`. */
export function summary(parameters: Readonly<Record<string, string>> | undefined): string {
  return Object.entries(parameters ?? {}).map(([name, value]) => `${name} ${value}`).join(" · ");
}
