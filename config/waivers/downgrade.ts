/** A value that makes a node weaker than the program makes it by itself. */
export interface Weakness {
  /** Where it stands, below what it was looked for in; parts with `/` between them. */
  readonly path: string;
  readonly value: unknown;
  /** The container it concerns, where it concerns one. */
  readonly container?: string;
}

/** A way to weaken a node that takes a waiver. */
export interface Downgrade<T> {
  /** What a waiver names it by. */
  readonly id: string;
  /** What is lost by it; Markdown. */
  readonly meaning: string;
  /** What needs no waiver. */
  readonly allowed: string;
  /** Whether a waiver may name a container. */
  readonly ofContainers?: true;
  /** Where something has it. */
  readonly find: (settings: T) => readonly Weakness[];
}

/** One weakness, or none. */
export const weaknessIf = (weak: boolean, path: string, value: unknown): Weakness[] =>
  weak ? [{ path, value }] : [];
