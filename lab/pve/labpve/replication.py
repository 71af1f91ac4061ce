"""Replication jobs of guests' disks: kept and told, and nothing is copied, since the lab's nodes have the same storages."""

from typing import Any

from fakepve import FakeVm
from fakepve.qemu import drives_of, volume_ref
from fakepve.routing import check_digest, die, sha1

from .managed import ManagedApi, Section, changed


class ReplicationApi(ManagedApi):
    """PVE::API2::ReplicationConfig. A job that is deleted is gone at once, and not with the next run of pvesr."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.replications: dict[str, Section] = {}

    def _routes_lab_replication(self) -> list[tuple[str, str, Any]]:
        one = '/cluster/replication/{id}'
        return [('GET', '/cluster/replication', self._replications), ('POST', '/cluster/replication', self._replicate),
                ('GET', one, self._replication), ('PUT', one, self._update_replication),
                ('DELETE', one, self._delete_replication)]

    def _view_replication(self, name: str) -> Section:
        """A job as it is written. It copies from where the guest is: one that has moved to the target is copied back."""
        if name not in self.replications:
            raise die(f"no such replication job '{name}'")
        guest, _, number = name.partition('-')
        job, vm = self.replications[name], self.vm(int(guest))
        turned = vm is not None and vm.node == job['target']
        ends = {'source': job['target'], 'target': job['source']} if turned else {}
        return {**job, **ends, 'id': name, 'guest': int(guest), 'jobnum': int(number),
                'digest': sha1(str(sorted(self.replications.items())))}

    async def _replications(self, v: Section, user: str) -> list[Section]:
        """Those of guests that one may see."""
        jobs = (self._view_replication(name) for name in sorted(self.replications))
        return [job for job in jobs if self.allowed(user, f"/vms/{job['guest']}", 'VM.Audit')]

    async def _replication(self, v: Section, user: str) -> Section:
        job = self._view_replication(v['id'])
        self.require(user, f"/vms/{job['guest']}", 'VM.Audit')
        return job

    async def _replicate(self, v: Section, user: str) -> None:
        guest = v['id'].partition('-')[0]
        self.require(user, f'/vms/{guest}', 'VM.Replicate')
        vm = self.vm(int(guest))
        if vm is None:
            raise die(f"Guest '{guest}' does not exists.")
        if v['target'] not in self.nodes:
            raise die(f"Target '{v['target']}' does not exists.")
        self._check_volumes(vm)
        if v['id'] in self.replications:
            raise die(f"replication job '{v['id']}' already exists")
        given = {key: value for key, value in v.items() if key != 'id'}
        self.replications[v['id']] = changed({'source': vm.node}, given)

    def _check_volumes(self, vm: FakeVm) -> None:
        """PVE::QemuConfig get_replicatable_volumes: only ZFS can, and a disk may be left out."""
        volumes = [volume for _, volume, options in drives_of(vm.config, skip_cdrom=True)
                   if options.get('replicate') != '0']
        if not volumes:
            raise die('No replicatable volumes found')
        for volume in volumes:
            store = volume_ref(volume)[0]
            if self.storages.get(store, {}).get('type') != 'zfspool':
                raise die(f"missing replicate feature on volume '{volume}'")

    def _existing(self, name: str, user: str) -> Section:
        if name not in self.replications:
            raise die(f"no such job '{name}'")
        self.require(user, f"/vms/{name.partition('-')[0]}", 'VM.Replicate')
        return self.replications[name]

    async def _update_replication(self, v: Section, user: str) -> None:
        job = self._existing(v['id'], user)
        check_digest(self._view_replication(v['id'])['digest'], v.get('digest'))
        self.replications[v['id']] = changed(job, {key: value for key, value in v.items() if key != 'id'})

    async def _delete_replication(self, v: Section, user: str) -> None:
        self._existing(v['id'], user)
        del self.replications[v['id']]
