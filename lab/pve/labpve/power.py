"""Power: every status task does to a QEMU process what PVE does, and ends with OK only if that worked."""

import asyncio
import os
from pathlib import Path
from typing import Any, Optional

from aiohttp import web
from fakepve import FakeVm, TaskError
from fakepve.qemu import is_cdrom, split_drive

from . import command, seed
from .command import Paths
from .firewall import FirewallApi
from .machine import Machine
from .qmp import MonitorError
from .settings import Settings
from .volumes import CLOUDINIT

# PVE::QemuServer::vm_shutdown gives the guest a minute unless told otherwise.
SHUTDOWN_TIMEOUT = 60


def resident(pid: int) -> int:
    """The bytes of memory a process holds."""
    try:
        return int(Path(f'/proc/{pid}/statm').read_text(encoding='ascii').split()[1]) * os.sysconf('SC_PAGE_SIZE')
    except OSError:
        return 0


class PowerApi(FirewallApi):
    """Mixin before FakePve."""

    settings: Settings
    kvm: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.machines: dict[int, Machine] = {}

    def paths(self, vmid: int) -> Paths:
        """Where the VM's sockets and logs are."""
        return Paths(self.settings.run_dir, self.settings.state_dir, vmid)

    def machine(self, vm: FakeVm) -> Machine:
        """The running QEMU process of a VM; a TaskError if there is none."""
        machine = self.machines.get(vm.vmid)
        if machine is None or not machine.alive:
            raise TaskError(f'VM {vm.vmid} not running')
        return machine

    # ---------------------------------------------------------------- start

    async def start_guest(self, vmid: int, user: str) -> None:
        """Start a VM as a task of its own."""
        vm = self.vm(vmid)
        if vm:
            await self._do_start(vm, user, {})

    async def _do_start(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """PVE::API2::Qemu vm_start: what can go wrong goes wrong inside the task."""
        async def body() -> None:
            if vm.template:
                raise TaskError("you can't start a vm if it's a template")
            if vm.lock and vm.lock != 'suspended':
                raise TaskError(f'VM is locked ({vm.lock})')
            if vm.status == 'running':
                raise TaskError(f'VM {vm.vmid} already running')
            await self._boot(vm)
        return await self.task(vm.node, 'qmstart', vm.vmid, user, body, vm=vm)

    async def _boot(self, vm: FakeVm) -> None:
        """PVE::QemuServer::vm_start_nolock: pending changes, the cloud-init drive, then the process."""
        self.apply_pending(vm)
        await self.ceph_io(vm)
        await self.write_seed(vm)
        await self.run_machine(vm)

    def command_line(self, vm: FakeVm, machine: Machine) -> list[str]:
        """QEMU's command line for the VM as it is configured."""
        return command.build(vm.vmid, vm.name, vm.config, self.settings, self.images, self.kvm, machine.cables)

    async def run_machine(self, vm: FakeVm, *options: str) -> Machine:
        """Start the process, with further options of QEMU."""
        machine = Machine(self.paths(vm.vmid), lambda: self._ended(vm, machine))
        cables = await self.plug_guest(vm)
        try:
            machine.cables = {name: cable.fileno() for name, cable in cables.items()}
            self.machines[vm.vmid] = machine
            await machine.start([*self.command_line(vm, machine), *options])
        finally:
            for cable in cables.values():
                cable.close()
        vm.status = vm.qmpstatus = 'running'
        vm.started_at = machine.started_at
        vm.stats = {'pid': machine.pid, 'running-qemu': machine.version,
                    'running-machine': 'pc-q35' if command.is_q35(vm.config) else 'pc-i440fx'}
        return machine

    def _ended(self, vm: FakeVm, machine: Machine) -> None:
        """The process is gone: a stop, a shutdown, or the guest powered itself off."""
        if self.machines.get(vm.vmid) is machine:
            del self.machines[vm.vmid]
            vm.status = vm.qmpstatus = 'stopped'
            vm.started_at = None
            vm.stats = {}

    async def write_seed(self, vm: FakeVm) -> None:
        """Regenerate the cloud-init drive, if there is one (generate_cloudinitconfig)."""
        drive = self.cloudinit_drive(vm)
        if drive and CLOUDINIT.search(drive):
            await seed.write_iso(vm.config, vm.vmid, self.images.of(drive))

    # ----------------------------------------------------------------- stop

    async def _do_stop(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """vm_stop: ends the process; a stopped VM is no error."""
        if not p.get('skiplock'):
            self._check_lock(vm)

        async def body() -> None:
            if vm.vmid in self.machines:
                await self.machines[vm.vmid].quit()
        return await self.task(vm.node, 'qmstop', vm.vmid, user, body, vm=vm)

    async def _ask_to_power_off(self, vm: FakeVm) -> None:
        """Through the guest agent if it answers (qga_check_running), else the ACPI button."""
        machine = self.machine(vm)
        if command.agent_enabled(vm.config):
            try:
                await machine.agent.ask('guest-ping', 3)
                await machine.agent.ask('guest-shutdown', 1)
                return
            except asyncio.TimeoutError:
                pass  # no agent, or one that does not answer guest-shutdown, as it is meant to
            except (OSError, MonitorError, asyncio.IncompleteReadError, ValueError):
                pass
        try:
            await machine.execute('system_powerdown')
        except TaskError:
            if machine.alive:
                raise

    async def _powerdown(self, vm: FakeVm, p: dict[str, Any]) -> Optional[str]:
        """vm_shutdown: ask, wait, and end the process if the request says so."""
        machine = self.machine(vm)
        await self._ask_to_power_off(vm)
        if await machine.exited(int(p.get('timeout') or SHUTDOWN_TIMEOUT)):
            return None
        if str(p.get('forceStop', '0')) in ('1', 'true', 'True'):
            await machine.quit()
            return 'VM still running - terminating now with SIGTERM'
        raise TaskError('VM quit/powerdown failed - got timeout')

    async def _do_reboot(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """vm_reboot: a shutdown, then a start that applies pending changes."""
        self._need_running(vm)
        self._check_lock(vm)

        async def body() -> None:
            await self._powerdown(vm, p)
            await self._boot(vm)
        return await self.task(vm.node, 'qmreboot', vm.vmid, user, body, vm=vm)

    async def _do_reset(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """vm_reset: the reset button."""
        return await self._monitor_task(vm, user, 'qmreset', 'system_reset')

    async def _do_suspend(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """vm_suspend: pauses."""
        return await self._monitor_task(vm, user, 'qmsuspend', 'stop')

    async def _do_resume(self, vm: FakeVm, user: str, p: dict[str, Any]) -> Any:
        """vm_resume."""
        return await self._monitor_task(vm, user, 'qmresume', 'cont')

    async def _monitor_task(self, vm: FakeVm, user: str, kind: str, qmp: str) -> Any:
        self._need_running(vm)
        self._check_lock(vm)

        async def body() -> None:
            await self.machine(vm).execute(qmp)
            await self._refresh(vm)
        return await self.task(vm.node, kind, vm.vmid, user, body, vm=vm)

    # --------------------------------------------------------------- status

    async def _refresh(self, vm: FakeVm) -> None:
        """Ask the process how it is."""
        machine = self.machines.get(vm.vmid)
        if machine and machine.alive and vm.status == 'running':
            vm.stats['mem'] = vm.stats['memhost'] = resident(machine.pid)
            try:
                vm.qmpstatus = (await machine.execute('query-status', 2))['status']
            except TaskError:
                return

    async def _status_current(self, request: web.Request) -> web.Response:
        """vmstatus, with the state QEMU reports itself."""
        vm = self.vm(int(request.match_info['vmid'])) if request.match_info['vmid'].isdigit() else None
        if vm:
            await self._refresh(vm)
        response: web.Response = await super()._status_current(request)
        return response

    # --------------------------------------------------------- disks, online

    async def grow_image(self, vm: FakeVm, key: str, volume: str, size: int) -> None:
        """PVE::QemuServer::qemu_block_resize: a running QEMU grows the image and tells the guest."""
        if vm.status == 'running':
            await self.machine(vm).execute('block_resize', device=f'drive-{key}', size=size)
        else:
            await super().grow_image(vm, key, volume, size)

    async def plug_drive(self, vm: FakeVm, key: str, value: str) -> bool:
        """vm_deviceplug: SCSI disks only; others wait for the next start."""
        volume, props = split_drive(value)
        if not key.startswith('scsi') or is_cdrom(volume, props):
            return False
        await self.settle_volumes(vm.vmid)
        machine = self.machine(vm)
        bus = command.root_bus(vm.config)
        if command.is_q35(vm.config):
            bus = await self._spare_port(machine)
        if not bus:
            return False
        objects, controller = command.scsi_controller(int(key[4:]), props, bus)
        device = command.disk_device(key, props, False, vm.config)
        try:
            for line in [*(f'object_add {value}' for value in objects), f'device_add {controller}',
                         f'drive_add 0 {command.drive_options(key, self.images.of(volume), props, False)}',
                         f'device_add {device}']:
                await machine.monitor.human(line)
        except MonitorError as error:
            raise TaskError(f"hotplug problem - unable to plug drive '{key}': {error}") from error
        return True

    @staticmethod
    async def _spare_port(machine: Machine) -> str:
        """A PCI Express port without a device, or nothing."""
        buses = await machine.execute('query-pci')
        ports = {device['qdev_id']: device['pci_bridge'] for bus in buses for device in bus['devices']
                 if str(device.get('qdev_id', '')).startswith('spare')}
        return next((name for name in sorted(ports) if not ports[name].get('devices')), '')

    async def unplug_drive(self, vm: FakeVm, key: str) -> bool:
        """vm_deviceunplug: waits until the guest has let go; otherwise the removal stays pending."""
        if not key.startswith('scsi'):
            return False
        machine, index = self.machine(vm), key[4:]
        try:
            await machine.monitor.execute('device_del', id=key)
            if not await machine.monitor.wait_event('DEVICE_DELETED', key, 5):
                return False
            await machine.monitor.execute('device_del', id=f'virtioscsi{index}')
            if not await machine.monitor.wait_event('DEVICE_DELETED', f'virtioscsi{index}', 10):
                return False
            if split_drive(vm.config[key])[1].get('iothread') == '1':
                await machine.monitor.execute('object-del', id=f'iothread-virtioscsi{index}')
            return True
        except MonitorError:
            return False

    # -------------------------------------------------------------- destroy

    async def _qm_destroy(self, v: dict[str, Any], user: str) -> Any:
        """destroy_vm: as fakepve's, which frees the volumes; then the VM's logs and firmware variables go."""
        upid = await super()._qm_destroy(v, user)
        vmid = int(v['vmid'])

        async def tidy() -> None:
            directory = self.paths(vmid).file('')
            for path in directory.glob('*') if self.vm(vmid) is None else ():
                path.unlink()
            if self.vm(vmid) is None and directory.is_dir():
                directory.rmdir()
        self.after_task(upid, tidy)
        return upid

    async def power_off_all(self) -> None:
        """The node goes down: every process it started ends."""
        await asyncio.gather(*(machine.quit(5) for machine in list(self.machines.values())))
