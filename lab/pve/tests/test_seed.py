"""The cloud-init texts, letter by letter as PVE::QemuServer::Cloudinit writes them."""

import hashlib

from labpve import seed

CONFIG = {'name': 'proj-docker02', 'ciuser': 'ubuntu', 'ciupgrade': 0, 'searchdomain': 'example.org',
          'nameserver': '10.25.20.3 10.25.20.4', 'net0': 'virtio=BC:24:11:AA:BB:CC,bridge=vmbr0,tag=20',
          'net1': 'virtio=BC:24:11:AA:BB:CD,bridge=vmbr0', 'ipconfig0': 'gw=10.25.20.1,ip=10.25.20.24/24',
          'sshkeys': 'ssh-ed25519%20AAAA%2Bb%20me%40home%0A%0Assh-rsa%20BBBB%0A'}
USER = """#cloud-config
hostname: proj-docker02
manage_etc_hosts: true
fqdn: proj-docker02.example.org
user: ubuntu
ssh_authorized_keys:
  - ssh-ed25519 AAAA+b me@home
  - ssh-rsa BBBB
chpasswd:
  expire: False
users:
  - default
"""
NETWORK = """version: 1
config:
    - type: physical
      name: eth0
      mac_address: 'bc:24:11:aa:bb:cc'
      subnets:
      - type: static
        address: '10.25.20.24'
        netmask: '255.255.255.0'
        gateway: '10.25.20.1'
    - type: nameserver
      address:
      - '10.25.20.3'
      - '10.25.20.4'
      search:
      - 'example.org'
"""


def test_texts() -> None:
    files = seed.files(CONFIG, 2019)
    assert (files['user-data'], files['network-config']) == (USER, NETWORK)
    assert files['meta-data'] == f'instance-id: {hashlib.sha1((USER + NETWORK).encode()).hexdigest()}\n'


def test_root_with_password_and_upgrade() -> None:
    text = seed.user_data({'ciuser': 'root', 'cipassword': '$5$x$y'}, 100)
    assert 'hostname: VM100\n' in text and 'disable_root: False\n' in text and 'password: $5$x$y\n' in text
    assert text.endswith('  expire: False\npackage_upgrade: true\n')


def test_other_addresses() -> None:
    def text(ipconfig: str) -> str:
        return seed.network_config({'net0': 'virtio=BC:24:11:AA:BB:CC', 'ipconfig0': ipconfig})
    assert '- type: dhcp4\n' in text('ip=dhcp') and '- type: dhcp6\n' in text('ip6=dhcp')
    assert '- type: ipv6_slaac\n' in text('ip6=auto')
    assert "      - type: static6\n        address: 'fd00::2/64'\n        gateway: 'fd00::1'\n" in text(
        'ip6=fd00::2/64,gw6=fd00::1')


def test_further_nics_have_addresses_of_their_own() -> None:
    """One without an ipconfig is not the guest's to configure; the name servers are the guest's, of whatever family."""
    text = seed.network_config({
        'net0': 'virtio=BC:24:11:AA:BB:CC,bridge=vmbr0', 'ipconfig0': 'gw=10.25.20.1,ip=10.25.20.24/24,ip6=fd25:20::24/64',
        'net1': 'virtio=BC:24:11:AA:BB:CD,bridge=vmbr1,tag=30', 'ipconfig1': 'ip=10.25.30.24/24,ip6=fd25:30::24/64',
        'net2': 'virtio=BC:24:11:AA:BB:CE,bridge=vmbr1', 'ipconfig3': 'ip=10.25.40.24/24', 'nameserver': '10.25.20.3 fd25:20::3'})
    assert text == """version: 1
config:
    - type: physical
      name: eth0
      mac_address: 'bc:24:11:aa:bb:cc'
      subnets:
      - type: static
        address: '10.25.20.24'
        netmask: '255.255.255.0'
        gateway: '10.25.20.1'
      - type: static6
        address: 'fd25:20::24/64'
    - type: physical
      name: eth1
      mac_address: 'bc:24:11:aa:bb:cd'
      subnets:
      - type: static
        address: '10.25.30.24'
        netmask: '255.255.255.0'
      - type: static6
        address: 'fd25:30::24/64'
    - type: nameserver
      address:
      - '10.25.20.3'
      - 'fd25:20::3'
"""


def test_instance_changes_with_what_cloud_init_would_do() -> None:
    assert seed.files(dict(CONFIG, cores=8), 2019)['meta-data'] == seed.files(CONFIG, 2019)['meta-data']
    assert seed.files(dict(CONFIG, ciuser='x'), 2019)['meta-data'] != seed.files(CONFIG, 2019)['meta-data']
