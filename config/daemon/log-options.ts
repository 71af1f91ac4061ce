import { isSize } from "./values";

/* Rules for the options of log drivers (moby daemon/logger). */

/** Values of log-opts by name. */
export type LogOptions = Readonly<Record<string, string>>;

/** Checks a value. Returns what is allowed instead, or undefined if the value is right. */
export type Rule = (value: string, options: LogOptions) => string | undefined;

const refuseUnless = (right: boolean, allowed: string): string | undefined =>
  right ? undefined : allowed;

/** Allows any text. */
export const allowAnything: Rule = () => undefined;

/** Allows the listed texts. */
export const allowOneOf =
  (...values: string[]): Rule =>
  (value) =>
    refuseUnless(values.includes(value), values.map((item) => JSON.stringify(item)).join(", "));

/** Go's ParseBool. */
export const allowFlag: Rule = (value) =>
  refuseUnless(/^(1|0|t|f|true|false)$/i.test(value), '"true" or "false"');

/** Allows a whole number as text, from `min` to `max`. Default of `max`: there is no end. */
export const allowWhole =
  (min: number, max = Number.MAX_SAFE_INTEGER): Rule =>
  (value) =>
    refuseUnless(
      /^-?\d+$/.test(value) && Number(value) >= min && Number(value) <= max,
      max === Number.MAX_SAFE_INTEGER
        ? `a whole number from ${min} in quotes`
        : `a whole number in quotes, ${min} to ${max}`,
    );

/** Allows a size with a unit, see `isSize`. */
export const allowBytes: Rule = (value) =>
  refuseUnless(isSize(value), 'a size as text, such as "100m"');

/** Go's ParseDuration, without signs. */
export const allowDuration: Rule = (value) =>
  refuseUnless(
    /^(\d+(\.\d+)?(ns|us|ms|s|m|h))+$|^0$/.test(value),
    'a duration, such as "500ms" or "3s"',
  );

/** A URL with one of the schemes, a host and a port. */
export const allowEndpoint =
  (schemes: readonly string[], needsPort: boolean): Rule =>
  (value) => {
    const match = /^([a-z+]+):\/\/([\w.-]+|\[[\da-fA-F:]+\])(:\d{1,5})?$/.exec(value);
    const right = match && schemes.includes(match[1] ?? "") && (match[3] ?? !needsPort);
    return refuseUnless(Boolean(right), `${schemes.join(" or ")}://host:port`);
  };

/** A socket's path, or what `other` allows. */
export const allowSocketOr =
  (schemes: readonly string[], other: Rule): Rule =>
  (value, options) => {
    const socket = schemes.some((scheme) => new RegExp(`^${scheme}:///[^\\s]+$`).test(value));
    const allowed = socket ? undefined : other(value, options);
    return allowed && `${allowed}, or ${schemes.join(" or ")}:///path`;
  };

/** Allows an option only if the option `name` matches `wanted`. */
export const allowOnlyWith =
  (name: string, wanted: RegExp, where: string, rule: Rule): Rule =>
  (value, options) =>
    wanted.test(options[name] ?? "") ? rule(value, options) : `leave it out unless ${where}`;
