/** What is wrong with a resource. */
export interface Finding {
  readonly what: string;
  /** Id of the waiver that allows it; what has none is never allowed. */
  readonly waiver?: string;
}
