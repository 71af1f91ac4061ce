/** What went wrong, in words. */

/** The message of what was thrown: that of an error, or else the thing itself as text. */
export function messageOf(error: unknown): string {
  const { message } = (error ?? {}) as { message?: unknown };
  return typeof message === "string" ? message : String(error);
}
