/** What a hardened node does and says when it is tried; node/hardening.sh. */
import type { Shell } from "./support";

/**
 * What the units have made of the node, as its own programs tell it; the same text while nothing has changed. Of rp_filter the
 * kernel takes the greater of an interface's own and that of `all` (ip-sysctl), and an interface has another one after a boot.
 */
export const hardenedState = (shell: Shell): Promise<string> =>
  shell.root(`
    sshd -T -C user=ubuntu,host=localhost,addr=127.0.0.1 | sort
    auditctl -l | sort
    auditctl -s | grep -E '^enabled'
    sysctl -n kernel.kptr_restrict kernel.dmesg_restrict kernel.core_pattern net.ipv4.ip_forward fs.suid_dumpable
    cat /proc/sys/net/ipv4/conf/{all,default,eth0,docker0}/{send_redirects,secure_redirects,log_martians}
    cat /proc/sys/net/ipv4/conf/{all,default}/rp_filter
    cat /proc/sys/net/ipv6/conf/{all,default,eth0}/accept_redirects
    modprobe --showconfig | grep /bin/false | sort
    stat -c '%a %U:%G %n' /etc/{passwd,group,shadow,gshadow,crontab,ssh/sshd_config,docker/daemon.json} /run/docker.sock 2>/dev/null || true
    grep -F docker-default /sys/kernel/security/apparmor/profiles
    for unit in auditd systemd-resolved systemd-timesyncd chrony rpcbind.socket avahi-daemon ModemManager apt-daily.timer apt-daily-upgrade.timer; do
      echo "$unit $(systemctl is-enabled $unit || true) $(systemctl is-active $unit || true)"
    done
    apt-config dump | grep -E '^(Unattended-Upgrade|APT::Periodic)' | sort
    ss -Hlnut | grep -E ':(5355|5353) ' || true
    find /etc -name '*docker-node*' -type f ! -path '/etc/cloud/*' -exec sha256sum {} + | sort`);

export const probes = {
  /** What is said to root and to the user with a key that both accept, and to a client of old. */
  async logins(shell: Shell): Promise<{ root: string; user: string; old: string }> {
    const lines = await shell.root(`
      d=$(mktemp -d); trap 'rm -rf $d; cp -p $d.root /root/.ssh/authorized_keys; cp -p $d.user /home/ubuntu/.ssh/authorized_keys; rm $d.*' EXIT
      install -d -m 700 /root/.ssh; touch /root/.ssh/authorized_keys
      cp -p /root/.ssh/authorized_keys $d.root; cp -p /home/ubuntu/.ssh/authorized_keys $d.user
      ssh-keygen -q -t ed25519 -N '' -f $d/key
      cat $d/key.pub >/root/.ssh/authorized_keys
      cat $d/key.pub >>/home/ubuntu/.ssh/authorized_keys
      try() { ssh -n -i $d/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$@" 2>&1 || true; }
      echo "root $(try root@127.0.0.1 id -un | tail -n 1)"
      echo "user $(try ubuntu@127.0.0.1 id -un | tail -n 1)"
      echo "old $(try -o KexAlgorithms=diffie-hellman-group14-sha1 ubuntu@127.0.0.1 id -un | tail -n 1)"`);
    const said = (who: string): string =>
      new RegExp(`^${who} (.*)$`, "m").exec(lines)?.[1] ?? "nothing";
    return { root: said("root"), user: said("user"), old: said("old") };
  },

  kernel: (shell: Shell): Promise<string> =>
    shell.root(
      "sysctl -n kernel.kptr_restrict kernel.dmesg_restrict net.ipv4.conf.all.rp_filter net.ipv4.conf.docker0.send_redirects fs.suid_dumpable net.ipv4.ip_forward kernel.core_pattern | paste -sd' '",
    ),

  /** A process that may leave a core of any size dies; what lies there then. */
  coreDump: (shell: Shell): Promise<string> =>
    shell.root(
      "cd $(mktemp -d); (ulimit -c unlimited; bash -c 'kill -SEGV $$') 2>/dev/null || true; ls | grep . || echo none; rmdir $PWD",
    ),

  module: (shell: Shell): Promise<string> => shell.root("modprobe --dry-run --verbose usb-storage"),

  /** Whether an event of the key `docker` tells of a change of this path. */
  audited: (shell: Shell, path: string): Promise<string> =>
    shell.root(`
      if [ -e ${path} ]; then chmod --reference=${path} ${path}; else : >${path}; rm ${path}; fi
      for try in 1 2 3 4 5 6 7 8 9 10; do
        if ausearch --input-logs --key docker --start recent --file ${path} >/dev/null 2>&1; then echo heard; exit; fi
        sleep 1
      done
      echo nothing`),
};

/** The node's own firewall: node/firewall.sh. */
export const firewall = {
  /** The same text while its rules are. */
  table: (shell: Shell): Promise<string> =>
    shell.root("nft --stateless list table inet docker_node | sha256sum"),

  /** What a neighbour on the node's own segment would see; a network namespace on the node stands for it. */
  neighbour: (shell: Shell, port: number): Promise<string> =>
    shell.root(`
      trap 'ip link delete lab0; ip netns delete neighbour' EXIT
      ip netns add neighbour
      ip link add lab0 type veth peer name lab1 netns neighbour
      ip address add 10.25.99.1/24 dev lab0; ip link set lab0 up
      ip -n neighbour address add 10.25.99.2/24 dev lab1; ip -n neighbour link set lab1 up
      ip -n neighbour route add default via 10.25.99.1
      ip netns exec neighbour timeout 5 bash -c '</dev/tcp/10.25.20.24/${port}' 2>/dev/null && echo open || echo closed`),

  /**
   * What becomes of a packet that one neighbour sends to another by way of the node, Docker's own policy left aside: `dropped` or
   * `passes`. Nobody listens there, so whoever gets through is refused at once.
   */
  past: (shell: Shell): Promise<string> =>
    shell.root(`
      policy=$(iptables -S FORWARD | awk '$1 == "-P" { print $3 }')
      trap 'iptables -P FORWARD "$policy"; for n in 1 2; do ip link delete lab$n; ip netns delete past$n; done' EXIT
      iptables -P FORWARD ACCEPT
      for n in 1 2; do
        ip netns add past$n
        ip link add lab$n type veth peer name eth0 netns past$n
        ip address add 10.25.9$n.1/24 dev lab$n; ip link set lab$n up
        ip -n past$n address add 10.25.9$n.2/24 dev eth0; ip -n past$n link set eth0 up
        ip -n past$n route add default via 10.25.9$n.1
      done
      ip netns exec past1 timeout 5 bash -c '</dev/tcp/10.25.92.2/80' 2>/dev/null || status=$?
      if [ "$status" = 124 ]; then echo dropped; else echo passes; fi`),
};
