/** What went wrong, in words. */

/** The last line of what a program said: it tells why the program failed. Empty if it said nothing. */
export const lastLine = (text: string): string => text.trim().split("\n").at(-1) ?? "";

/** The message of what was thrown: that of an error, or else the thing itself as text. */
export function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === "string" ? message : String(error);
}
