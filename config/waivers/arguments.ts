import { isTree, type Tree } from "../tree";

/* Every argument of the resources that `override` reaches: those that can weaken a node, by kind, and why the others cannot. */

/** Kinds of arguments of a container that can weaken a node, in the order of the page. */
export const CONTAINER_KINDS = {
  privileges: [
    ...["privileged", "capabilities", "securityOpts", "user", "groupAdds", "runtime", "sysctls"],
    ...["devices", "deviceRequests", "deviceCgroupRules", "gpus", "cgroupParent"],
  ],
  mounts: ["mounts", "volumes", "readOnly", "tmpfs"],
  program: ["command", "entrypoints", "uploads", "workingDir", "envs", "healthcheck"],
  namespaces: [
    ...["networkMode", "networksAdvanced", "pidMode", "ipcMode", "usernsMode", "cgroupnsMode"],
  ],
  ports: ["ports", "publishAllPorts"],
  limits: ["memory", "memorySwap", "cpuShares", "ulimits"],
  logs: ["logDriver", "logs"],
} as const;

/** Kinds of arguments of the VM that can. */
export const MACHINE_KINDS = {
  nic: ["networkDevices", "macAddresses"],
  login: ["initialization"],
  hypervisor: [
    ...["hookScriptFileId", "hostpcis", "kvmArguments", "usbs", "virtiofs", "serialDevices"],
    "disks",
  ],
} as const;

/** Why arguments take no waiver, whatever they say. */
type Free = Readonly<Record<string, readonly string[]>>;

/** The other arguments of a container. */
export const FREE_OF_CONTAINERS: Free = {
  "the program sets no such limit, so that any value limits more": [
    ...["cpuPeriod", "cpuQuota", "cpuSet", "cpus", "memoryReservation", "storageOpts"],
    ...["deviceReadBps", "deviceReadIops", "deviceWriteBps", "deviceWriteIops"],
  ],
  "it counts as memory, which is limited": ["shmSize"],
  "it says when the container runs, not what it may do": [
    ...["restart", "maxRetryCount", "mustRun", "start", "rm", "stopSignal", "stopTimeout"],
  ],
  "it says how long the program waits": [
    ...["attach", "wait", "waitTimeout", "destroyGraceSeconds"],
    "containerReadRefreshTimeoutMilliseconds",
  ],
  "what the container talks to proves itself, by a certificate or a fingerprint": [
    ...["dns", "dnsOpts", "dnsSearches", "hosts"],
  ],
  "it is a name that the container has for itself": ["domainname", "hostname", "labels"],
  "the loader refuses it here": ["image", "name"],
  "Docker brings this program itself": ["init"],
  "options are added to the node's own, which stay": ["logOpts"],
  "the digest of the image stays": ["platform"],
  "the container has no volumes of its own": ["removeVolumes"],
  "only who may use Docker's socket can type there": ["stdinOpen", "tty"],
};

/** The other arguments of the VM. */
export const FREE_OF_MACHINES: Free = {
  "the loader refuses it here, or a part of it": [
    ...["vmId", "nodeName", "name", "clone", "protection", "cpu", "memory"],
  ],
  "it says when the VM runs": [
    ...["started", "startup", "onBoot", "reboot", "rebootAfterUpdate", "migrate", "template"],
  ],
  "it says how long the program waits": [
    ...["timeoutClone", "timeoutCreate", "timeoutMigrate", "timeoutMoveDisk", "timeoutReboot"],
    ...["timeoutShutdownVm", "timeoutStartVm", "timeoutStopVm"],
  ],
  "it says what a deletion takes along, and the VM is protected from one": [
    ...["deleteUnreferencedDisksOnDestroy", "purgeOnDestroy", "stopOnDestroy"],
  ],
  "it is a device that the hypervisor makes up, and gives nothing of the Proxmox node": [
    ...["acpi", "agent", "amdSev", "audioDevice", "bios", "efiDisk", "hotplug", "keyboardLayout"],
    ...["machine", "numas", "operatingSystem", "rngs", "scsiHardware", "smbios", "tabletDevice"],
    ...["tpmState", "vga", "watchdog"],
  ],
  "whoever may name a medium in Proxmox may also name another image": ["bootOrders", "cdrom"],
  "it is a note, or a matter of who may do what in Proxmox": ["description", "tags", "poolId"],
};

const isFalse = (value: unknown): boolean => value === false;
const isPositive = (value: unknown): boolean => typeof value === "number" && value > 0;

/** Variables that change how much is told, and which way packets take; what the container talks to still proves itself. */
const FREE_VARIABLES = /^(LOG_LEVEL|TZ|((HTTPS?|NO)_PROXY|(https?|no)_proxy))(=|$)/;

/** By itself Docker mounts a tmpfs without these (docs.docker.com, tmpfs mounts). */
const TMPFS_RIGHTS = /(^|,)(exec|suid|dev)(,|$)/;

const areAll = (values: unknown, judge: (text: string) => boolean): boolean =>
  Array.isArray(values) && values.every((one) => typeof one === "string" && judge(one));

const areTrees = (values: unknown, judge: (tree: Tree) => boolean): boolean =>
  Array.isArray(values) && values.every((one) => isTree(one) && judge(one));

/** Values that take nothing away, by argument. */
export const HARMLESS: Readonly<Record<string, (value: unknown) => boolean>> = {
  privileged: isFalse,
  publishAllPorts: isFalse,
  readOnly: (value) => value === true,
  // A list replaces ours, so that a shorter one gives capabilities back. Without a list, ours stays.
  capabilities: (value) =>
    isTree(value) &&
    !("adds" in value) &&
    (!("drops" in value) || (Array.isArray(value.drops) && value.drops.includes("ALL"))),
  envs: (value) => areAll(value, (text) => FREE_VARIABLES.test(text)),
  tmpfs: (value) =>
    isTree(value) && areAll(Object.values(value), (options) => !TMPFS_RIGHTS.test(options)),
  memory: isPositive,
  memorySwap: isPositive,
  cpuShares: isPositive,
  logDriver: (value) => value !== "none",
  logs: isFalse,
  // Any other one is a device of the Proxmox node.
  serialDevices: (value) => areTrees(value, ({ device = "socket" }) => device === "socket"),
  // With a path, it is a disk that is there already, such as another VM's.
  disks: (value) => areTrees(value, (disk) => !("pathInDatastore" in disk)),
};
