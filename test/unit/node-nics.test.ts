import {
  changes,
  done,
  fake,
  forget,
  has,
  node,
  read,
  run,
  script,
  textOf,
  useNode,
  write,
} from "../support/node";

/** The step that leaves NICs beside the first with their addresses alone. */

useNode();

const FILE = node("systemd/network/10-netplan-eth1.network.d/docker-node.conf");
const narrow = (addresses = "10.25.30.24", variables: Record<string, string> = {}) =>
  script("nics", { ADDRESSES: addresses, ADDRESS_TIMEOUT: "0", ...variables });

beforeEach(() => {
  fake("nics", "10.25.30.24 eth1\n10.25.40.24 eth2\n");
  fake("dns.eth1", "10.25.20.2 10.25.20.3");
  fake("router.eth1", "default via fe80::1 dev eth1 proto ra metric 1024");
});

test("no name servers, and nothing from routers; a second run changes nothing", () => {
  expect(done(narrow())).toEqual({ nics: ["eth1"] });
  expect(read(FILE).split("\n")).toEqual(
    expect.arrayContaining([
      "[Network]",
      "DNS=",
      "Domains=",
      "DNSDefaultRoute=no",
      "IPv6AcceptRA=no",
    ]),
  );
  expect(changes()).toEqual(["networkctl reload", "networkctl reconfigure eth1"]);
  forget();
  expect(done(narrow())).toEqual({ nics: ["eth1"] });
  expect(changes()).toEqual([]);
});

test("two NICs have a file each; that of one that is gone goes, files of others stay", () => {
  expect(done(narrow("10.25.30.24 10.25.40.24"))).toEqual({ nics: ["eth1", "eth2"] });
  const theirs = node("systemd/network/10-netplan-eth2.network.d/theirs.conf");
  write(theirs, "[Link]\n");
  expect(done(narrow("10.25.40.24"))).toEqual({ nics: ["eth2"] });
  expect(has(FILE)).toBe(false);
  expect(done(narrow(""))).toEqual({ nics: [] });
  expect(has(theirs)).toBe(true);
  expect(has(theirs.replace("theirs", "docker-node"))).toBe(false);
});

test("what somebody gave the NIC afterwards is taken away again", () => {
  done(narrow());
  fake("dns.eth1", "10.25.20.9");
  forget();
  done(narrow());
  expect(changes()).toEqual(["networkctl reload", "networkctl reconfigure eth1"]);
});

test("a NIC that keeps more than its address fails the step, and says what", () => {
  fake("stubborn");
  const { status, stderr } = narrow("10.25.30.24", { NARROW_TIMEOUT: "0" });
  expect(status).toBe(1);
  expect(stderr).toMatch(
    /eth1 has more than its address\n10\.25\.20\.2 10\.25\.20\.3 default via fe80::1/,
  );
});

test("an address that no NIC has yet, and a NIC that something else manages, are told and left", () => {
  const absent = narrow("10.25.50.24");
  expect(absent).toMatchObject({ status: 0, stdout: '{"nics":[]}\n' });
  expect(absent.stderr).toContain("no NIC has the address 10.25.50.24; the VM has to boot");
  fake("unmanaged");
  const foreign = narrow();
  expect(foreign).toMatchObject({ status: 0, stdout: '{"nics":["eth1"]}\n' });
  expect(foreign.stderr).toContain("eth1 is not managed by systemd-networkd");
  expect(changes()).toEqual([]);
});

test("a NIC that has its address only after a while is waited for", () => {
  fake("nics");
  const late = `(sleep 0.2; echo '10.25.30.24 eth1' >"$FAKE/nics") &\n`;
  const { status, stdout } = run(late + textOf("nics"), { ADDRESSES: "10.25.30.24" });
  expect({ status, stdout }).toEqual({ status: 0, stdout: '{"nics":["eth1"]}\n' });
});
