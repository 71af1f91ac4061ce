"""Configuration changes: what PVE normalises, applies at once, plugs into the running machine or keeps pending."""

import re
from typing import Any, Optional

from aiohttp import web
from fakepve import FakeVm, PveError, TaskError
from fakepve.qemu import DRIVE_KEY, drives_of, split_drive, with_mac
from fakepve.server import USER, params

from .password import encrypt_password
from .volumes import VolumeApi

CLOUDINIT_KEYS = ('cicustom', 'cipassword', 'citype', 'ciuser', 'ciupgrade', 'nameserver', 'searchdomain', 'sshkeys')
# PVE::API2::Qemu: which privilege each group of options needs (check_vm_modify_config_perm). What is in none is root's: ciupgrade, and
# devices of the node, but for mapped ones, which the lab does not have.
PRIVILEGES = {
    'VM.Config.CPU': ('cores', 'cpu', 'cpulimit', 'cpuunits', 'numa', 'smp', 'sockets', 'vcpus'),
    'VM.Config.Memory': ('memory', 'balloon', 'shares'),
    'VM.Config.HWType': ('acpi', 'hotplug', 'kvm', 'machine', 'scsihw', 'smbios1', 'tablet', 'vga', 'watchdog',
                         'audio0', 'rng0', 'vmgenid'),
    'VM.Config.Options': ('agent', 'autostart', 'bios', 'description', 'keyboard', 'localtime', 'migrate_downtime',
                          'migrate_speed', 'name', 'onboot', 'ostype', 'protection', 'reboot', 'startdate', 'startup',
                          'tdf', 'template', 'tags', 'allow-ksm'),
    'VM.Config.Disk': ('boot', 'bootdisk', 'vmstatestorage'),
    'VM.Config.Cloudinit': tuple(key for key in CLOUDINIT_KEYS if key != 'ciupgrade'),
}
NUMBERED = {'VM.Config.Disk': r'(?:ide|sata|scsi|virtio|efidisk|tpmstate|unused)\d+',
            'VM.Config.CPU': r'numa\d+', 'VM.Config.Network': r'(?:net|ipconfig)\d+',
            'VM.Config.HWType': r'(?:serial|virtiofs)\d+'}
# PVE::QemuServer $fast_plug_option: applied to a running VM at once. Cloud-init's are among them.
FAST = ('name', 'onboot', 'shares', 'startup', 'description', 'protection', 'vmstatestorage', 'hookscript', 'tags',
        *CLOUDINIT_KEYS)
# Drive options PVE changes on a running VM without touching the device (vmconfig_update_disk).
HOT_DRIVE = ('backup', 'replicate', 'size', 'format')
# NIC options that concern the bridge port, not the guest's device (vmconfig_update_net).
HOT_NET = ('bridge', 'tag', 'firewall', 'rate', 'trunks')
MASK = '**********'


def differing(old: str, new: str) -> set[str]:
    """The names of the options in which two property strings differ; '' for the leading value."""
    (first, one), (second, two) = split_drive(old), split_drive(new)
    names = {key for key in {*one, *two} if one.get(key) != two.get(key)}
    return names | ({''} if first != second else set())


class ConfigApi(VolumeApi):
    """Mixin before FakePve."""

    def _config_priv(self, key: str) -> str:
        """The privilege a key needs; keys PVE knows no group for are root's (args, lock, hookscript ...)."""
        for privilege, names in PRIVILEGES.items():
            if key in names:
                return privilege
        for privilege, pattern in NUMBERED.items():
            if re.fullmatch(pattern, key):
                return privilege
        return 'root'

    async def _qm_create(self, v: dict[str, Any], user: str) -> Any:
        """PVE::API2::Qemu create_vm; `start` is a task of its own afterwards, as PVE's autostart is."""
        v = self._normalise(v)
        start = v.pop('start', None)
        vmid = int(v['vmid'])
        if start:
            self._qm_perm(user, vmid, v.get('pool'), 'VM.PowerMgmt')
        upid = await super()._qm_create(v, user)
        if start:
            self.after_task(upid, lambda: self.start_guest(vmid, user))
        return upid

    async def start_guest(self, vmid: int, user: str) -> None:
        """Start a VM as a task; power.py."""
        raise NotImplementedError

    def after_task(self, upid: str, call: Any) -> None:
        """Await `call()` once a task has ended well; node.py."""
        raise NotImplementedError

    @staticmethod
    def _normalise(p: dict[str, Any]) -> dict[str, Any]:
        """What PVE rewrites in any request: NICs get a MAC (print_net), passwords a hash (cloud-init)."""
        out = dict(p)
        for key in out:
            if re.fullmatch(r'net\d+', key):
                out[key] = with_mac(out[key])
        if out.get('cipassword'):
            out['cipassword'] = encrypt_password(str(out['cipassword']))
        return out

    async def _config_get(self, request: web.Request) -> web.Response:
        """GET config answers with pending changes applied unless `current` is set, and hides the password."""
        vm = self._vm(request, 'VM.Audit')
        config = dict(vm.config)
        if str((await params(request)).get('current', '0')) not in ('1', 'true'):
            config.update({k: x for k, x in vm.pending.items() if x is not None})
            config = {k: x for k, x in config.items() if vm.pending.get(k, '') is not None}
        if 'memory' in config:
            config['memory'] = str(config['memory'])
        if 'cipassword' in config:
            config['cipassword'] = MASK
        return web.json_response({'data': dict(config, digest=vm.digest())})

    async def _config_put(self, request: web.Request) -> web.Response:
        """update_vm, synchronous; the values as the schema converts them, so that they read back with PVE's types."""
        vm, user, values = self._update_request(request, await params(request))
        await self._apply_config(vm, user, values)
        return web.json_response({'data': None})

    async def _config_post(self, request: web.Request) -> web.Response:
        """update_vm_async: the same as a qmconfig task."""
        vm, user, values = self._update_request(request, await params(request))
        return web.json_response({'data': await self.task(
            vm.node, 'qmconfig', vm.vmid, user, lambda: self._apply_config(vm, user, values))})

    def _update_request(self, request: web.Request, given: dict[str, Any]) -> tuple[FakeVm, str, dict[str, Any]]:
        values = self._verify(request, given)
        vm = self._vm(request)
        return vm, request[USER], {k: x for k, x in values.items() if k not in ('node', 'vmid', 'background_delay')}

    async def _apply_config(self, vm: FakeVm, user: str, p: dict[str, Any]) -> None:
        """update_vm_api: volumes are made first, then the config is written, then the running machine follows."""
        before = dict(vm.config)
        made: list[str] = []
        try:
            p = self._prepare(vm, user, self._normalise(p), made)
            await super()._apply_config(vm, user, p)
        except (PveError, TaskError) as error:
            for volid in made:
                self._qm_free(volid)
            raise error if isinstance(error, PveError) else PveError(500, str(error)) from error
        await self._follow(vm)
        for key in (k for k in before if k.startswith('unused') and k not in vm.config):
            self._qm_free(split_drive(before[key])[0])
        self.retire_volumes(vm, before)
        vm.name = vm.config.get('name') or f'VM {vm.vmid}'

    def _prepare(self, vm: FakeVm, user: str, p: dict[str, Any], made: list[str]) -> dict[str, Any]:
        """Allocate or look up the volume of every drive in the request, so that no request text is stored as it is."""
        out = dict(p)
        for key in (k for k in p if DRIVE_KEY.match(k)):
            self.require(user, f'/vms/{vm.vmid}', 'VM.Config.Disk')
            self._qm_check_drive(user, vm.vmid, None, key, p[key], None)
            out[key], volids = self._qm_new_drive(vm.vmid, key, p[key], None)
            made += volids
        return out

    # ------------------------------------------------------- a running machine

    async def _follow(self, vm: FakeVm) -> None:
        """vmconfig_hotplug_pending: take from the pending changes what a running machine can take."""
        for key, value in list(vm.pending.items()):
            old = vm.config.get(key)
            if value == old or (value is not None and str(value) == str(old)):
                del vm.pending[key]
            elif vm.status != 'running':
                break
            elif await self._hotplug(vm, key, old, value):
                del vm.pending[key]
                vm.config.pop(key, None)
                if value is not None:
                    vm.config[key] = value

    async def _hotplug(self, vm: FakeVm, key: str, old: Any, new: Any) -> bool:
        """Could this change be made now?"""
        if key in FAST or re.fullmatch(r'(?:ipconfig|unused)\d+', key):
            return True
        if re.fullmatch(r'net\d+', key) and old and new:
            return differing(old, new) <= set(HOT_NET)
        if not DRIVE_KEY.match(key):
            return False
        if old and new:
            return differing(old, new) <= set(HOT_DRIVE)
        return await (self.plug_drive(vm, key, new) if new else self.unplug_drive(vm, key))

    async def plug_drive(self, vm: FakeVm, key: str, value: str) -> bool:
        """Add a drive to the running machine; hotplug.py."""
        raise NotImplementedError

    async def unplug_drive(self, vm: FakeVm, key: str) -> bool:
        """Take a drive from the running machine; hotplug.py."""
        raise NotImplementedError

    def apply_pending(self, vm: FakeVm) -> None:
        """What a start does first (vmconfig_apply_pending)."""
        before = dict(vm.config)
        vm.apply_pending()
        self.retire_volumes(vm, before)

    def cloudinit_drive(self, vm: FakeVm) -> Optional[str]:
        """The volume of the VM's cloud-init drive."""
        return next((volume for _, volume, _ in drives_of(vm.config) if 'cloudinit' in volume), None)
