/** What the stand-in of Portainer keeps: environments, groups and tags, as its API shows them. */

export interface Environment {
  Id: number;
  Name: string;
  URL: string;
  Type: number;
  GroupId: number;
  TagIds: number[];
  TLSConfig: { TLS: boolean; TLSSkipVerify: boolean };
  /** Of an agent that reaches Portainer; see `edge.ts`. */
  EdgeKey?: string;
  EdgeID?: string;
  EdgeCheckinInterval?: number;
  LastCheckInDate?: number;
  Heartbeat?: boolean;
}

export interface Group {
  Id: number;
  Name: string;
}

export interface Tag {
  ID: number;
  Name: string;
}

/** An answer with another status than 200, as Portainer writes one (libhttp, error.go). */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly details = message,
  ) {
    super(message);
  }
}

/** Everything kept; group 1 is always there. */
export class Store {
  environments: Environment[] = [];
  groups: Group[] = [{ Id: 1, Name: "Unassigned" }];
  tags: Tag[] = [];
  private last = 1;

  /** An id that nothing had before, as the database's sequences give one. */
  nextId(): number {
    return ++this.last;
  }

  findEnvironment(id: number): Environment {
    const found = this.environments.find(({ Id }) => Id === id);
    if (found) return found;
    const what = "Unable to find an environment with the specified identifier inside the database";
    throw new Refusal(404, what, "object not found inside the database");
  }

  add(environment: Omit<Environment, "Id">): Environment {
    const added = { Id: this.nextId(), ...environment };
    this.environments.push(added);
    return added;
  }

  removeEnvironment(id: number): void {
    this.findEnvironment(id);
    this.environments = this.environments.filter(({ Id }) => Id !== id);
  }

  /** Names are unique since 2.9, for a new one and a changed one; URLs are not. */
  refuseName(name: string, id = 0): void {
    if (this.environments.some((one) => one.Name === name && one.Id !== id))
      throw new Refusal(409, "Name is not unique");
  }

  requireLabels(group: number, tags: readonly number[]): void {
    if (!this.groups.some(({ Id }) => Id === group))
      throw new Refusal(500, "Unable to find an environment group inside the database");
    if (!tags.every((tag) => this.tags.some(({ ID }) => ID === tag)))
      throw new Refusal(500, "Unable to find a tag inside the database");
  }

  /** Two groups may have one name. */
  addGroup(name: string): Group {
    const group = { Id: this.nextId(), Name: name };
    this.groups.push(group);
    return group;
  }

  addTag(name: string): Tag {
    if (this.tags.some(({ Name }) => Name === name))
      throw new Refusal(409, "This name is already associated to a tag");
    const tag = { ID: this.nextId(), Name: name };
    this.tags.push(tag);
    return tag;
  }

  removeGroup(id: number): void {
    if (id === 1) throw new Refusal(403, "Unable to remove the default 'Unassigned' group");
    this.groups = this.groups.filter(({ Id }) => Id !== id);
    for (const one of this.environments) if (one.GroupId === id) one.GroupId = 1;
  }

  removeTag(id: number): void {
    this.tags = this.tags.filter(({ ID }) => ID !== id);
    for (const one of this.environments) one.TagIds = one.TagIds.filter((tag) => tag !== id);
  }
}
