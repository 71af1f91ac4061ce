"""Disks of a running VM: QEMU grows them, and they are plugged in and out."""

from fakepve import FakeVm, TaskError
from fakepve.qemu import is_cdrom, split_drive

from . import disks
from .machine import Machine
from .machines import MachinesApi
from .machinetype import is_q35, root_bus
from .qmp import MonitorError


class HotplugApi(MachinesApi):
    """Mixin before FakePve."""

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
        bus = root_bus(vm.config)
        if is_q35(vm.config):
            bus = await self._spare_port(machine)
        if not bus:
            return False
        objects, controller = disks.scsi_controller(int(key[4:]), props, bus)
        device = disks.disk_device(key, props, False, vm.config)
        try:
            for line in [*(f'object_add {value}' for value in objects), f'device_add {controller}',
                         f'drive_add 0 {disks.drive_options(key, self.images.of(volume), props, False)}',
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
