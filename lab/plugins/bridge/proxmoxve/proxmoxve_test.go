package proxmoxve

import (
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

func TestSplit(t *testing.T) {
	for name, want := range map[string][2]string{
		"proxmox_storage_pbs":                          {"storage", "Pbs"},
		"proxmox_virtual_environment_vm":               {"index", "VmLegacy"},
		"proxmox_virtual_environment_cluster_firewall": {"cluster", "FirewallLegacy"},
		"proxmox_sdn_controller_evpn":                  {"sdn/controller", "Evpn"},
		"proxmox_vm":                                   {"index", "Vm"},
	} {
		module, member := split(name)
		if got := [2]string{module, member}; got != want {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

func TestIDFrom(t *testing.T) {
	read := idFrom("resourceId")
	text := resource.NewProperty("vmbr1")
	for _, value := range []resource.PropertyValue{text, resource.MakeSecret(text)} {
		id, err := read(t.Context(), resource.PropertyMap{"resourceId": value})
		if err != nil || id != "vmbr1" {
			t.Errorf("%v: %q, %v", value, id, err)
		}
	}
	for _, state := range []resource.PropertyMap{{}, {"resourceId": resource.NewProperty(7.0)}} {
		if id, err := read(t.Context(), state); err == nil {
			t.Errorf("%v: %q, want an error", state, id)
		}
	}
}

// TestNames checks names that the program uses against the provider itself.
func TestNames(t *testing.T) {
	info := Provider()
	for name, want := range map[string]string{
		"proxmox_virtual_environment_vm": "proxmoxve:index/vmLegacy:VmLegacy",
		"proxmox_storage_pbs":            "proxmoxve:storage/pbs:Pbs",
	} {
		if found := info.Resources[name]; found == nil || found.Tok.String() != want {
			t.Errorf("%s: %v, want %s", name, found, want)
		}
	}
	if field := info.Resources["proxmox_storage_pbs"].Fields["id"]; field == nil || field.Name != "resourceId" {
		t.Errorf("the id of a storage: %v", field)
	}
}
