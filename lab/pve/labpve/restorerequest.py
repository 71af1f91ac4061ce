"""What a restore is asked for, and what is checked before its task (PVE::API2::Qemu create_vm with `archive`)."""

from dataclasses import dataclass
from typing import Any, Optional

from fakepve import FakeVm, PveError
from fakepve.qemu import DRIVE_KEY
from fakepve.routing import die, param_error
from fakepve.storage import STORAGE_ID

from .tasklog import TaskLog
from .vzdump import VzdumpApi

# Parameters of the request that are no options of the guest.
REQUEST = ('node', 'vmid', 'archive', 'storage', 'force', 'unique', 'live-restore', 'pool', 'bwlimit', 'start',
           'ha-managed', 'import-working-storage')


@dataclass(frozen=True)
class Restore:
    """A restore that has passed the checks before its task."""

    vmid: int
    user: str
    storage: str
    volname: str
    target: Optional[str]
    unique: bool
    pool: Optional[str]
    override: dict[str, Any]
    log: TaskLog

    @property
    def failure(self) -> str:
        """How its errors begin."""
        return f'unable to restore VM {self.vmid} -'


class RestoreRequestApi(VzdumpApi):
    """Mixin before FakePve."""

    def _order(self, v: dict[str, Any], user: str) -> Restore:
        self.need_quorum()
        vmid, pool, target = int(v['vmid']), v.get('pool'), v.get('storage')
        self._qm_check_pool(pool)
        if target:
            self.require(user, '/storage/' + target, 'Datastore.AllocateSpace')
        if v.get('start'):
            self._qm_perm(user, vmid, pool, 'VM.PowerMgmt')
        self._may_restore(user, vmid, pool, bool(v.get('force')))
        override = self._normalise({key: value for key, value in v.items() if key not in REQUEST})
        self._check_override(user, vmid, pool, override)
        sid, volname = self._archive(v['archive'], user)
        return Restore(vmid, user, sid, volname, target, bool(v.get('unique')), pool, override, TaskLog())

    def _may_restore(self, user: str, vmid: int, pool: Optional[str], force: bool) -> None:
        """VM.Allocate; to overwrite a guest that is there, VM.Backup is enough."""
        if self.allowed(user, f'/vms/{vmid}', 'VM.Allocate') or \
                (pool and self.allowed(user, '/pool/' + pool, 'VM.Allocate')):
            return
        if not (force and self.vm(vmid) and self.allowed(user, f'/vms/{vmid}', 'VM.Backup')):
            raise PveError(403, 'Permission check failed')

    def _check_override(self, user: str, vmid: int, pool: Optional[str], override: dict[str, Any]) -> None:
        """Options of the guest that are given besides the archive."""
        for key in sorted(override):
            if DRIVE_KEY.match(key):
                raise param_error(**{key: "option conflicts with option 'archive'"})
            privilege = self._config_priv(key)
            if privilege != 'root':
                self._qm_perm(user, vmid, pool, privilege)
            elif user != 'root@pam':
                raise PveError(403, f"only root can set '{key}' config")

    def _archive(self, archive: str, user: str) -> tuple[str, str]:
        """check_volume_access, and the storage and name of a backup on a pbs storage."""
        if archive == '-':
            raise die('pipe requires cli environment')
        found = STORAGE_ID.match(archive)
        if not found or not self.is_pbs(found.group(1)):
            if found:
                self._store(found.group(1))
            raise PveError(501, f"the lab restores from storages of type pbs only, not '{archive}'")
        sid, volname = found.groups()
        _, owner, fmt = self._parse_volname(self.storages[sid], volname)
        self._check_access(user, sid, 'backup', owner, archive)
        if fmt != 'pbs-vm':
            raise die(f"got unexpected backup format '{fmt}'")
        return sid, volname

    def _claim(self, order: Restore, force: bool) -> FakeVm:
        """create_and_lock_config: the guest the backup becomes, locked; an existing one only by force."""
        vm = self.vm(order.vmid)
        if self._qm_taken(order.vmid) and not (vm and force):
            other = self.guest(order.vmid)
            raise die(f'{order.failure} {"VM" if vm else "CT"} {order.vmid} already exists on node \'{other.node}\'')
        if vm is None:
            vm = FakeVm(order.vmid, f'VM {order.vmid}', node=self.settings.node)
            vm.config.pop('name', None)
            self.vms.append(vm)
        elif vm.lock:
            raise die(f'{order.failure} VM is locked ({vm.lock})')
        self._qm_lock(vm, 'create')
        return vm
