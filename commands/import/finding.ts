/** What the import says about one thing on the node. */
export interface Finding {
  /**
   * `adopt`: becomes this stack's, as it is. `change`: the next `up` changes it. `leave`: it stays as it is, and
   * this program does not touch it. `waive`: weakens the node, and needs a waiver before the next `up`. `refuse`:
   * keeps the node from being adopted.
   */
  readonly kind: "adopt" | "change" | "leave" | "waive" | "refuse";
  /** Such as "network development-secondary". */
  readonly what: string;
  /** What is known of it, and for `change` and `leave` why. */
  readonly why: string;
}

/** Collects findings, in the order things were looked at. */
export class Findings {
  readonly all: Finding[] = [];

  readonly adopt = this.makeAdder("adopt");
  readonly change = this.makeAdder("change");
  readonly leave = this.makeAdder("leave");
  readonly waive = this.makeAdder("waive");
  readonly refuse = this.makeAdder("refuse");

  private makeAdder(kind: Finding["kind"]): (what: string, why: string) => void {
    return (what, why) => {
      this.all.push({ kind, what, why });
    };
  }
}
