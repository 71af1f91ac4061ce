"""The lab's Proxmox VE node: fakepve's API with QEMU behind it.

fakepve answers every endpoint of the PVE 9 API and keeps what it is told; this package mends the places where it
differs from PVE in a way a real client notices, and gives power, disks, downloads and the guest agent an effect: a task
ends with OK only if the thing was done.

SPDX-License-Identifier: AGPL-3.0-or-later (see LICENSE.md; fakepve is AGPL and is imported here).
"""
