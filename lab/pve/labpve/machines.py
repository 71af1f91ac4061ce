"""The QEMU processes of the VMs: each starts with the VM's command line, cables and cloud-init drive."""

import asyncio
from typing import Any

from fakepve import FakeVm, TaskError

from . import command, seed
from .command import Paths
from .drives import CLOUDINIT
from .firewall import FirewallApi
from .machine import Machine
from .machinetype import is_q35
from .settings import Settings


class MachinesApi(FirewallApi):
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
                    'running-machine': 'pc-q35' if is_q35(vm.config) else 'pc-i440fx'}
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
