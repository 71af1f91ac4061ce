"""The firewall's part of the API, and pve-firewall: the switch follows the configuration within a tenth of a second."""

import asyncio
import logging
import socket
from typing import Any, NoReturn, Optional

from fakepve import FakeVm, PveError, TaskError
from fakepve.firewall import empty_conf

from .config import ConfigApi
from .rules import Filter, filter_of, unmodelled
from .switch import Switch, nics
from .vlans import BRIDGE, net_options

LOG = logging.getLogger('labpve')
# Seconds until a change is noticed. PVE takes up to ten.
INTERVAL = 0.1
# Options that the switch obeys, and options that do not change what passes.
OPTIONS = {'cluster': {'enable'},
           'vm': {'enable', 'dhcp', 'ipfilter', 'macfilter', 'ndp', 'radv', 'policy_in', 'policy_out', 'log_level_in',
                  'log_level_out'}}
OF_THE_REQUEST = {'node', 'vmid', 'delete', 'digest'}


def refuse(what: str) -> NoReturn:
    """Refuse a write that the switch would not obey."""
    raise PveError(501, f'{what} of the firewall has no effect in the lab and is therefore refused')


class FirewallApi(ConfigApi):
    """Mixin before FakePve."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.switch = Switch()
        self._enforced: dict[int, str] = {}
        self._enforcer: Optional[asyncio.Task[None]] = None

    # ---------------------------------------------------------------- writes

    def _check_rule(self, scope: str, rule: dict[str, Any], conf: dict[str, Any]) -> Any:
        """A rule is one of a guest, with the fields that the switch knows."""
        if scope != 'vm':
            refuse(f'rule of scope {scope}')
        checked = super()._check_rule(scope, rule, conf)
        field = unmodelled(rule)
        if field:
            refuse(f"rule with {field} '{rule[field]}'")
        return checked

    async def _fw_options_put(self, scope: str, v: dict[str, Any], user: str) -> None:
        unknown = sorted(key for key in v if v[key] is not None and key not in OPTIONS.get(scope, set()) | OF_THE_REQUEST)
        if unknown:
            refuse(f'option {unknown[0]} of scope {scope}')
        await super()._fw_options_put(scope, v, user)

    async def _fw_alias_create(self, scope: str, v: dict[str, Any], user: str) -> None:
        refuse(f"alias '{v['name']}'")

    async def _fw_ipset_create(self, scope: str, v: dict[str, Any], user: str) -> None:
        refuse(f"IP set '{v['name']}'")

    async def _fw_group_create(self, v: dict[str, Any], user: str) -> None:
        refuse(f"security group '{v['group']}'")

    # ----------------------------------------------------------- enforcement

    async def start(self, certfile: str, keyfile: str) -> None:
        """Listen, and follow the configuration."""
        await super().start(certfile, keyfile)
        self._enforcer = asyncio.ensure_future(self._follow_firewall())

    async def stop(self) -> None:
        """Stop following the configuration, then stop listening."""
        if self._enforcer:
            self._enforcer.cancel()
            await asyncio.wait([self._enforcer])
        await super().stop()

    async def plug_guest(self, vm: FakeVm) -> dict[str, socket.socket]:
        """Connect a VM's NICs to the switch, behind their firewall (Switch.plug). A TaskError names a bridge that is not there."""
        bridges = [net_options(net).get('bridge', BRIDGE) for net in nics(vm.config).values()]
        for bridge in bridges:
            if bridge != BRIDGE:
                raise TaskError(f"bridge '{bridge}' does not exist")
        self._enforced[vm.vmid] = self._configured(vm)
        return await self.switch.plug(vm.vmid, vm.config, self._filters(vm))

    async def _follow_firewall(self) -> None:
        while True:
            try:
                self._enforce()
            except Exception:  # a fault of one guest's must not stop the others'
                LOG.exception('firewall')
            await asyncio.sleep(INTERVAL)

    def _enforce(self) -> None:
        """Apply what has changed to the switch. An unchanged NIC keeps its gates, and with them its connections."""
        for vm in filter(None, (self.vm(vmid) for vmid in {vmid for vmid, _ in self.switch.nics})):
            configured = self._configured(vm)
            if configured != self._enforced.get(vm.vmid):
                self._enforced[vm.vmid] = configured
                self.switch.change(vm.vmid, vm.config, self._filters(vm))

    def _firewall_of(self, vm: FakeVm) -> dict[str, Any]:
        conf: dict[str, Any] = self._fw()['guests'].get(vm.vmid) or empty_conf()
        return conf

    def _configured(self, vm: FakeVm) -> str:
        conf = self._firewall_of(vm)
        return repr([nics(vm.config), self._fw()['cluster']['options'], conf['options'], conf['rules']])

    def _filters(self, vm: FakeVm) -> dict[int, Optional[Filter]]:
        """The firewall of each NIC. A restored rule that is not valid is left out, as on PVE."""
        conf, datacenter = self._firewall_of(vm), self._fw()['cluster']['options']
        rules = [rule for rule in conf['rules'] if self._holds(dict(rule), conf)]
        return {index: filter_of(net, datacenter, conf['options'], rules) for index, net in nics(vm.config).items()}

    def _holds(self, rule: dict[str, Any], conf: dict[str, Any]) -> bool:
        try:
            self._check_rule('vm', rule, conf)
        except PveError:
            return False
        return True
