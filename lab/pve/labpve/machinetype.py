"""A VM's machine type, and the bus its devices are on."""

from typing import Any


def is_q35(config: dict[str, Any]) -> bool:
    """Does the machine type have PCI Express?"""
    return 'q35' in str(config.get('machine', ''))


def root_bus(config: dict[str, Any]) -> str:
    """The bus devices are put on."""
    return 'pcie.0' if is_q35(config) else 'pci.0'
