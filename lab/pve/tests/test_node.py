"""Everything else the provider asks of a node. What fakepve 0.5.0 does differently from PVE is named in each test."""

import asyncio
import hashlib
from pathlib import Path

import pytest
from aiohttp import web

from conftest import ApiError, Lab, settings_for
from labpve.node import LabNode
from labpve.state import dump, load

async def test_a_guest_is_moved(tmp_path: Path, certificates: tuple[str, str]) -> None:
    """PVE::API2::Qemu migrate_vm: afterwards the guest is at its new node only, its firewall anywhere."""
    async with Lab(settings_for(tmp_path, peers=['pve02']), certificates) as lab:
        assert [node['node'] for node in await lab.call('GET', '/nodes')] == ['pve01', 'pve02']
        lab.node.add_vm(2019, 'docker02', node='pve01')
        order = {'target': 'pve02', 'with-local-disks': 1}
        for wrong, message in (({'target': 'pve03'}, "no such cluster node 'pve03'"), ({'target': 'pve01'}, 'target is local node.'),
                               ({'target': 'pve02'}, 'with-local-disks')):
            with pytest.raises(ApiError) as refused:
                await lab.call('POST', '~/qemu/2019/migrate', **wrong)
            assert message in refused.value.message
        assert await lab.task('POST', '~/qemu/2019/migrate', **order) == 'OK'
        with pytest.raises(ApiError) as gone:
            await lab.call('GET', '~/qemu/2019/config')
        assert gone.value.message == "Configuration file 'nodes/pve01/qemu-server/2019.conf' does not exist"
        assert (await lab.call('GET', '/nodes/pve02/qemu/2019/config'))['name'] == 'docker02'
        assert await lab.call('GET', '~/qemu/2019/firewall/options') == await lab.call(
            'GET', '/nodes/pve02/qemu/2019/firewall/options')


JOB = {'id': 'docker02', 'schedule': '03:30', 'storage': 'pbs01', 'vmid': '2019', 'mode': 'snapshot',
       'prune-backups': 'keep-daily=30'}


async def file_server(content: bytes) -> tuple[web.AppRunner, str]:
    """A loopback web server with one file, and a redirect to elsewhere."""
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(body=content)

    async def away(_request: web.Request) -> web.Response:
        raise web.HTTPFound('http://192.0.2.1/x.iso')
    app = web.Application()
    app.router.add_get('/x.iso', answer)
    app.router.add_get('/away.iso', away)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, '127.0.0.1', 0)
    await site.start()
    return runner, f'http://127.0.0.1:{runner.addresses[0][1]}'


async def test_download_is_real(lab: Lab) -> None:
    """PVE::API2::Storage::Status download_url; fakepve records a size of its own invention."""
    content = b'x' * 100_000
    runner, base = await file_server(content)
    try:
        query = await lab.call('GET', '~/query-url-metadata', url=base + '/x.iso')
        assert query == {'filename': 'x.iso', 'mimetype': 'application/octet-stream', 'size': 100_000}
        order = {'content': 'iso', 'filename': 'x.iso', 'url': base + '/x.iso', 'checksum__algorithm': 'sha256'}
        path, digest = '~/storage/local/download-url', hashlib.sha256(content).hexdigest()
        order = {key.replace('__', '-'): value for key, value in order.items()}
        wrong = await lab.task('POST', path, **order, checksum='0' * 64)
        assert wrong == f"checksum mismatch: got '{digest}' != expect '{'0' * 64}'"
        assert await lab.call('GET', '~/storage/local/content') == []
        assert await lab.task('POST', path, **order, checksum=digest) == 'OK'
        assert await lab.task('POST', path, **order, checksum=digest) == 'OK'  # already there, and right
        again = await lab.task('POST', path, content='iso', filename='x.iso', url=base + '/x.iso')
        assert 'refusing to override existing file' in again
    finally:
        await runner.cleanup()
    assert [(item['volid'], item['size']) for item in await lab.call('GET', '~/storage/local/content')] == [
        ('local:iso/x.iso', 100_000)]
    assert await lab.task('DELETE', '~/storage/local/content/local:iso/x.iso') == 'OK'
    await asyncio.sleep(0.1)
    assert not lab.node.images.of('local:iso/x.iso').exists()


@pytest.mark.parametrize('url', ['http://192.0.2.1/x.iso', 'http://10.25.20.250:81/x.iso', 'REDIRECT'])
async def test_download_stays_in_the_lab(lab: Lab, url: str) -> None:
    runner, base = await file_server(b'x')
    try:
        status = await lab.task('POST', '~/storage/local/download-url', content='iso', filename='x.iso',
                                url=url.replace('REDIRECT', base + '/away.iso'))
    finally:
        await runner.cleanup()
    assert 'outside the lab' in status


async def test_download_from_a_service_address(tmp_path: Path, certificates: tuple[str, str]) -> None:
    """The URL a guest would use works for the node, too."""
    runner, base = await file_server(b'x' * 7)
    network = {'cidr': '10.25.20.0/24', 'host': '10.25.20.1',
               'services': [{'address': '10.25.20.250', 'port': 80, 'target': base.removeprefix('http://')}]}
    try:
        async with Lab(settings_for(tmp_path, network=network), certificates) as lab:
            assert await lab.task('POST', '~/storage/local/download-url', content='iso', filename='x.iso',
                                  url='http://10.25.20.250/x.iso') == 'OK'
    finally:
        await runner.cleanup()


async def test_an_import_must_be_an_image(lab: Lab) -> None:
    """PVE::Storage::Plugin file_size_info, which checks untrusted images."""
    runner, base = await file_server(b'no image')
    try:
        status = await lab.task('POST', '~/storage/local/download-url', content='import', filename='x.qcow2',
                                url=base + '/x.iso')
    finally:
        await runner.cleanup()
    assert 'qemu-img failed' in status
    assert await lab.call('GET', '~/storage/local/content') == []


async def test_backup_jobs_are_kept(lab: Lab) -> None:
    """PVE::API2::Backup; fakepve accepts a job and forgets it. The provider's URL ends with a slash."""
    await lab.call('POST', '/cluster/backup/', **JOB)
    assert (await lab.call('GET', '/cluster/backup/docker02'))['prune-backups'] == 'keep-daily=30'
    with pytest.raises(ApiError, match="Job 'docker02' already exists"):
        await lab.call('POST', '/cluster/backup', **JOB)
    await lab.call('PUT', '/cluster/backup/docker02', comment='nightly', delete='mode')
    job = (await lab.call('GET', '/cluster/backup'))[0]
    assert (job['comment'], job['type'], job['enabled'], 'mode' in job) == ('nightly', 'vzdump', 1, False)
    await lab.call('DELETE', '/cluster/backup/docker02')
    with pytest.raises(ApiError) as caught:
        await lab.call('GET', '/cluster/backup/docker02')
    assert (caught.value.status, caught.value.errors['id']) == (400, "No such job 'docker02'")


async def test_firewall_reads_back(lab: Lab) -> None:
    """PVE::API2::Firewall::Rules get_rule answers with `pos` as a string (from the URL); fakepve with a number."""
    await lab.create(net0='virtio,bridge=vmbr0,firewall=1')
    base = '~/qemu/2019/firewall'
    await lab.call('PUT', base + '/options', enable=1, policy_in='DROP', ipfilter=1)
    assert (await lab.call('GET', base + '/options'))['policy_in'] == 'DROP'
    await lab.call('POST', base + '/rules', type='in', action='ACCEPT', proto='tcp', dport='22', enable=1)
    assert [rule['pos'] for rule in await lab.call('GET', base + '/rules')] == [0]
    assert (await lab.call('GET', base + '/rules/0'))['pos'] == '0'
    await lab.task('DELETE', '~/qemu/2019')
    assert lab.node._fw()['guests'] == {}


async def test_firewall_of_the_datacenter(lab: Lab) -> None:
    """On in the lab. Taken away, `enable` is absent, and that is off (pve-firewall, PVE/API2/Firewall/Cluster.pm)."""
    options = '/cluster/firewall/options'
    assert (await lab.call('GET', options))['enable'] == 1
    await lab.call('PUT', options, delete='enable')
    assert 'enable' not in await lab.call('GET', options)


async def test_writes_without_effect_are_refused(lab: Lab) -> None:
    """fakepve answers OK to what it does not model; nobody should believe a disk that was not moved."""
    with pytest.raises(ApiError) as caught:
        await lab.call('POST', '~/qemu/2019/move_disk', disk='scsi0', storage='local')
    assert caught.value.status == 501


@pytest.mark.settings(token={'id': 'automation@pve!pulumi', 'secret': '1', 'privileges': ['VM.Backup', 'Sys.Audit']})
async def test_permissions_on_a_path(lab: Lab) -> None:
    """Granted on /, they hold below it, and are told under the path that was asked for."""
    held = await lab.call('GET', '/access/permissions?path=/vms/2019')
    assert held == {'/vms/2019': {'Sys.Audit': 1, 'VM.Backup': 1}}
    assert list(await lab.call('GET', '/access/permissions')) == ['/']


async def test_bridge_is_vlan_aware(lab: Lab) -> None:
    bridge = (await lab.call('GET', '~/network', type='bridge'))[0]
    assert (bridge['iface'], bridge['bridge_vlan_aware']) == ('vmbr0', 1)


async def test_cloudinit_dump_is_the_seed(lab: Lab) -> None:
    await lab.create(ciuser='ubuntu', ide2='nvme-pool:cloudinit')
    assert 'user: ubuntu' in await lab.call('GET', '~/qemu/2019/cloudinit/dump', type='user')
    await lab.call('PUT', '~/qemu/2019/cloudinit')
    assert lab.node.images.of('nvme-pool:vm-2019-cloudinit').stat().st_mode & 0o777 == 0o600


async def test_agent_that_is_not_there(lab: Lab) -> None:
    """PVE::QemuServer::Agent assert_agent_available."""
    await lab.create()
    with pytest.raises(ApiError, match='No QEMU guest agent configured'):
        await lab.call('POST', '~/qemu/2019/agent/ping')
    await lab.call('PUT', '~/qemu/2019/config', agent='enabled=1,fstrim_cloned_disks=1,type=virtio')
    with pytest.raises(ApiError, match='VM 2019 is not running'):
        await lab.call('GET', '~/qemu/2019/agent/network-get-interfaces')


async def test_wrong_token_is_refused(lab: Lab) -> None:
    lab.node.apitokens['automation@pve!pulumi'] = 'other'
    with pytest.raises(ApiError) as caught:
        await lab.call('GET', '/version')
    assert caught.value.status == 401


async def test_state_survives(lab: Lab, tmp_path: Path) -> None:
    await lab.create(scsi0='nvme-pool:4', tags='docker')
    await lab.call('POST', '/cluster/backup', **JOB)
    await lab.call('PUT', '~/qemu/2019/firewall/options', enable=1)
    lab.pretend_running()
    fresh = LabNode(settings_for(tmp_path))
    load(fresh, dump(lab.node))
    vm = fresh.vm(2019)
    assert vm and (vm.status, vm.config) == ('stopped', lab.node.vm(2019).config)  # type: ignore[union-attr]
    assert fresh.firewall_config('vm', vmid=2019)['options'] == {'enable': 1}
    assert 'docker02' in fresh.backup_jobs
    assert dump(fresh) == dump(lab.node)
