"""What a backup holds besides the disks: the guest's configuration and firewall as text."""

import pytest

from labpve import fwconf, guestconf

CONFIG = {'cores': 4, 'memory': '8192', 'name': 'proj-docker02', 'onboot': 1, 'protection': 1, 'lock': 'backup',
          'description': 'Docker host: 100 % ours\nsecond line – ä', 'unused0': 'nvme-pool:vm-2019-disk-9',
          'scsi0': 'nvme-pool:vm-2019-disk-0,iothread=1,size=132G', 'tags': 'docker;prod',
          'meta': 'creation-qemu=10.0.2,ctime=1', 'net0': 'virtio=BC:24:11:00:00:01,bridge=vmbr0,firewall=1'}


def test_configuration() -> None:
    """PVE::VZDump::QemuServer assemble, PVE::QemuServer write_vm_config: no lock, no unused disk, sorted."""
    hint = guestconf.Hint('scsi0', 'drive-scsi0', 'nvme-pool', 'raw')
    text = guestconf.dump(CONFIG, [hint])
    assert text.splitlines()[0] == '#Docker host%3A 100 %25 ours'
    assert text.splitlines()[-1] == '#qmdump#map:scsi0:drive-scsi0:nvme-pool:raw:'
    assert 'lock:' not in text and 'unused0' not in text
    config, hints = guestconf.parse(text)
    assert hints == [hint]
    assert config == {key: value for key, value in CONFIG.items() if key not in ('lock', 'unused0')}
    assert [type(config[key]) for key in ('cores', 'onboot', 'memory')] == [int, int, str]


FIREWALL = {
    'options': {'enable': 1, 'policy_in': 'DROP', 'ipfilter': 1}, 'groups': {}, 'group_comments': {},
    'aliases': {'bastion': {'name': 'Bastion', 'cidr': '10.25.20.8', 'ipversion': 4, 'comment': 'the jump host'}},
    'ipset': {'management': [{'cidr': '10.25.0.0/16', 'comment': 'office'}, {'cidr': '10.25.9.0/24', 'nomatch': 1}],
              'ipfilter-net0': []},
    'ipset_comments': {'management': 'who may'},
    'rules': [{'type': 'in', 'action': 'ACCEPT', 'macro': 'SSH', 'source': '+management', 'enable': 1, 'log': 'info'},
              {'type': 'in', 'action': 'ACCEPT', 'proto': 'tcp', 'dport': '443,8443', 'iface': 'net0', 'enable': 0,
               'comment': 'later # perhaps'},
              {'type': 'group', 'action': 'monitoring', 'enable': 1},
              {'type': 'out', 'action': 'DROP', 'dest': '192.0.2.0/24', 'proto': 'icmp', 'icmp-type': 'echo-request',
               'enable': 1}]}


def test_firewall() -> None:
    """PVE::Firewall save_vmfw_conf and load_vmfw_conf."""
    text = fwconf.dump(FIREWALL)
    assert 'IN SSH(ACCEPT) -source +management -log info' in text
    assert '|IN ACCEPT -i net0 -p tcp -dport 443,8443 # later # perhaps' in text
    assert fwconf.parse(text) == FIREWALL


def test_no_firewall_is_no_text() -> None:
    assert fwconf.dump({'options': {}, 'aliases': {}, 'ipset': {}, 'ipset_comments': {}, 'rules': []}) == ''


@pytest.mark.parametrize('text', ['[RULES]\n\nSIDEWAYS ACCEPT\n', '[RULES]\n\nIN ACCEPT -dport\n', 'enable: 1\n',
                                  '[OPTIONS]\n\nenable: perhaps\n', '[RULES]\n\nIN ACCEPT -to 1\n'])
def test_firewall_text_that_is_none(text: str) -> None:
    with pytest.raises(ValueError):
        fwconf.parse(text)
