"""What high availability knows: the guests that it manages, and rules where they run."""

from typing import Any

from fakepve import FakeVm
from fakepve.routing import check_digest, die, sha1, split_list

from .migration import MigrationApi

Section = dict[str, Any]
# What PVE adds to a rule that does not say it (PVE::HA::Rules set_rule_defaults).
RULE_DEFAULTS = {'affinity': 'positive', 'strict': 0}
NUMBERS = ('disable', 'failback', 'max_relocate', 'max_restart', 'strict')


def changed(section: Section, given: Section) -> Section:
    """A section after an update: what is given is set, what `delete` names goes (PVE::SectionConfig)."""
    values = {key: int(value) if key in NUMBERS else value for key, value in given.items()
              if key not in ('delete', 'digest')}
    gone = split_list(given.get('delete'))
    return {key: value for key, value in {**section, **values}.items() if key not in gone}


def priorities(nodes: str) -> dict[str, int]:
    """A list of nodes with priorities, `pve01:2,pve02`."""
    return {name: int(priority or 0) for name, _, priority in (one.partition(':') for one in split_list(nodes))}


class ManagedApi(MigrationApi):
    """PVE::API2::HA::Resources and PVE::API2::HA::Rules, each a file of sections."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.ha_resources: dict[str, Section] = {}
        self.ha_rules: dict[str, Section] = {}

    def _routes_lab_managed(self) -> list[tuple[str, str, Any]]:
        resources, rules = '/cluster/ha/resources', '/cluster/ha/rules'
        return [('GET', resources, self._list_managed), ('POST', resources, self._manage),
                ('GET', resources + '/{sid}', self._resource), ('PUT', resources + '/{sid}', self._update_resource),
                ('DELETE', resources + '/{sid}', self._forget),
                ('GET', rules, self._rules), ('POST', rules, self._create_rule),
                ('GET', rules + '/{rule}', self._rule), ('PUT', rules + '/{rule}', self._update_rule),
                ('DELETE', rules + '/{rule}', self._delete_rule)]

    def is_managed(self, vm: FakeVm) -> bool:
        """Does high availability start this guest elsewhere?"""
        section = self.ha_resources.get(f'vm:{vm.vmid}')
        return section is not None and section.get('state', 'started') in ('started', 'enabled')

    def place(self, vm: FakeVm, left: list[str]) -> str | None:
        """The node where a managed guest starts: of those that are left the one its rule prefers, if it has one."""
        rule = next((rule for rule in self.ha_rules.values()
                     if f'vm:{vm.vmid}' in split_list(rule['resources']) and not rule.get('disable')), None)
        wanted = priorities(rule['nodes']) if rule else {}
        preferred = sorted((name for name in left if name in wanted), key=lambda name: -wanted[name])
        others = [] if rule and rule.get('strict') else left
        return next(iter([*preferred, *others]), None)

    # ------------------------------------------------------------- resources

    @staticmethod
    def _sid(given: str) -> str:
        """A number is a VM's (parse_sid)."""
        return given if ':' in given else f'vm:{given}'

    def _managed(self, given: str) -> Section:
        sid = self._sid(given)
        if sid not in self.ha_resources:
            raise die(f"no such resource '{sid}'")
        section = self.ha_resources[sid]
        return {**section, 'sid': sid, 'digest': sha1(str(sorted(self.ha_resources.items())))}

    async def _list_managed(self, v: Section, user: str) -> list[Section]:
        return [self._managed(sid) for sid in sorted(self.ha_resources)
                if v.get('type') in (None, sid.partition(':')[0])]

    async def _resource(self, v: Section, user: str) -> Section:
        return self._managed(v['sid'])

    async def _manage(self, v: Section, user: str) -> None:
        self.require(user, '/', 'Sys.Console')
        sid = self._sid(str(v['sid']))
        kind, _, number = sid.partition(':')
        if kind != 'vm' or not number.isdigit() or self.vm(int(number)) is None:
            raise die(f"no such resource '{sid}'")
        if sid in self.ha_resources:
            raise die(f"create resource failed: resource ID '{sid}' already defined")
        if v.get('group'):
            raise die("create resource failed: invalid parameter 'group': ha groups have been migrated to rules")
        given = {key: value for key, value in v.items() if key not in ('sid', 'type')}
        self.ha_resources[sid] = changed({'type': 'vm'}, given)

    async def _update_resource(self, v: Section, user: str) -> None:
        self.require(user, '/', 'Sys.Console')
        before = self._managed(v['sid'])
        check_digest(before['digest'], v.get('digest'))
        sid = before.pop('sid')
        del before['digest']
        self.ha_resources[sid] = changed(before, {key: value for key, value in v.items() if key != 'sid'})

    async def _forget(self, v: Section, user: str) -> None:
        """With `purge`, the default, rules lose it, and those that have no other go (PVE::HA::Config)."""
        self.require(user, '/', 'Sys.Console')
        sid = self._sid(v['sid'])
        if sid not in self.ha_resources:
            raise die(f"cannot delete service '{sid}', not HA managed!")
        del self.ha_resources[sid]
        if str(v.get('purge', 1)) == '0':
            return
        for name, rule in list(self.ha_rules.items()):
            rest = [one for one in split_list(rule['resources']) if one != sid]
            rule['resources'] = ','.join(rest)
            if not rest:
                del self.ha_rules[name]

    # ----------------------------------------------------------------- rules

    def _view_rule(self, name: str) -> Section:
        if name not in self.ha_rules:
            raise die(f"no such ha rule '{name}'")
        return {**RULE_DEFAULTS, **self.ha_rules[name], 'rule': name, 'order': list(self.ha_rules).index(name) + 1,
                'digest': sha1(str(sorted(self.ha_rules.items())))}

    async def _rules(self, v: Section, user: str) -> list[Section]:
        self.require(user, '/', 'Sys.Audit')
        return [self._view_rule(name) for name in self.ha_rules]

    async def _rule(self, v: Section, user: str) -> Section:
        self.require(user, '/', 'Sys.Audit')
        return self._view_rule(v['rule'])

    async def _create_rule(self, v: Section, user: str) -> None:
        self.require(user, '/', 'Sys.Console')
        name = v['rule']
        if name in self.ha_rules:
            raise die(f"create ha rule failed: HA rule '{name}' already defined")
        self.ha_rules[name] = self._checked_rule({}, v, 'create ha rule failed')

    async def _update_rule(self, v: Section, user: str) -> None:
        self.require(user, '/', 'Sys.Console')
        name = v['rule']
        if name not in self.ha_rules:
            raise die(f"update HA rules failed: HA rule '{name}' does not exist")
        check_digest(self._view_rule(name)['digest'], v.get('digest'))
        self.ha_rules[name] = self._checked_rule(self.ha_rules[name], v, 'update HA rules failed')

    async def _delete_rule(self, v: Section, user: str) -> None:
        """One that is not there is no mistake."""
        self.require(user, '/', 'Sys.Console')
        self.ha_rules.pop(v['rule'], None)

    def _checked_rule(self, before: Section, given: Section, failed: str) -> Section:
        """Its resources are managed and its nodes there; both are written in order. The lab knows node affinity only."""
        rule = changed(before, {key: value for key, value in given.items() if key != 'rule'})
        if rule.get('type') != 'node-affinity' or rule.get('affinity', 'positive') != 'positive':
            raise die(f"{failed}: the lab has rules of positive node affinity only")
        resources, nodes = sorted(split_list(rule.get('resources'))), priorities(str(rule.get('nodes', '')))
        unmanaged = [sid for sid in resources if sid not in self.ha_resources]
        if unmanaged:
            raise die(f"{failed}: cannot use unmanaged resource(s) {', '.join(unmanaged)}.")
        unknown = sorted(name for name in nodes if name not in self.nodes)
        if unknown:
            raise die(f"{failed}: cannot use non-existant node(s) {', '.join(unknown)}.")
        written = (f'{name}:{priority}' if priority else name for name, priority in sorted(nodes.items()))
        return {**rule, 'resources': ','.join(resources), 'nodes': ','.join(written)}
