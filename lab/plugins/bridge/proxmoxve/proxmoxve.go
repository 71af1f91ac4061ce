// Package proxmoxve maps bpg's Terraform provider for Proxmox VE to the names of
// the npm package @muhlba91/pulumi-proxmoxve.
package proxmoxve

import (
	"context"
	"fmt"
	"strings"

	"github.com/bpg/terraform-provider-proxmox/fwprovider"
	"github.com/bpg/terraform-provider-proxmox/proxmoxtf/provider"
	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"

	"github.com/terraform-providers/terraform-provider-docker/lab/generated"
)

const (
	// Name of the Pulumi package.
	Name = "proxmoxve"
	// Version of the npm package whose names this plugin serves.
	Version = "8.6.0"
	// upstream is the version of bpg's provider, reported to Proxmox as user agent.
	upstream = "0.111.1"
	// nameLength bounds the names Pulumi makes up for resources which have none.
	nameLength = 255

	// prefix of all Terraform names, and legacyPrefix of those from before it was cut
	// short; many resources exist under both.
	prefix       = "proxmox_"
	legacyPrefix = "proxmox_virtual_environment_"
)

// keepsDefaultID lists resources whose "id" input the npm package names by the
// bridge's rule, where it calls all others resourceId.
var keepsDefaultID = map[string]bool{"proxmox_sdn_controller_evpn": true}

// Provider describes the plugin to the bridge.
func Provider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		Name:           Name,
		Version:        Version,
		ResourcePrefix: strings.TrimSuffix(prefix, "_"),
		P: pf.MuxShimWithPF(context.Background(),
			sdkv2.NewProvider(provider.ProxmoxVirtualEnvironment()),
			fwprovider.New(upstream)()),
		MetadataInfo: tfbridge.NewProviderMetadata(generated.Metadata(Name)),
		Resources:    map[string]*tfbridge.ResourceInfo{},
	}
	renameIDs(&info)
	info.MustComputeTokens(tokens.Strategy{Resource: resourceToken, DataSource: dataSourceToken})
	info.SetAutonaming(nameLength, "-")
	return info
}

// renameIDs frees the name "id", which Pulumi keeps for itself, where a resource
// takes it as an input, and makes it text where Terraform has a number.
func renameIDs(info *tfbridge.ProviderInfo) {
	info.P.ResourcesMap().Range(func(name string, res shim.Resource) bool {
		id, found := res.Schema().GetOk("id")
		if !found || keepsDefaultID[name] || !(id.Required() || id.Optional()) {
			return true
		}
		info.Resources[name] = &tfbridge.ResourceInfo{
			Fields:    map[string]*tfbridge.SchemaInfo{"id": {Name: "resourceId", Type: "string"}},
			ComputeID: idFrom("resourceId"),
		}
		return true
	})
}

// idFrom reads the id of a resource from one of its properties.
func idFrom(property resource.PropertyKey) tfbridge.ComputeID {
	return func(_ context.Context, state resource.PropertyMap) (resource.ID, error) {
		value, found := state[property]
		if !found {
			return "", fmt.Errorf("no property %q to take the id from", property)
		}
		for value.IsSecret() {
			value = value.SecretValue().Element
		}
		if !value.IsString() {
			return "", fmt.Errorf("property %q is %s and no id", property, value.TypeString())
		}
		return resource.ID(value.StringValue()), nil
	}
}

func resourceToken(name string, res *tfbridge.ResourceInfo) error {
	module, member := split(name)
	res.Tok = tfbridge.MakeResource(Name, module, member)
	return nil
}

func dataSourceToken(name string, source *tfbridge.DataSourceInfo) error {
	module, member := split(name)
	source.Tok = tfbridge.MakeDataSource(Name, module, "get"+member)
	return nil
}

// split derives module and member of a token: each word of the name but the last is
// a module, and a name with the old prefix is marked as legacy.
//
//	proxmox_storage_pbs            -> storage, Pbs
//	proxmox_virtual_environment_vm -> index, VmLegacy
func split(name string) (module, member string) {
	short, legacy := strings.CutPrefix(name, legacyPrefix)
	if !legacy {
		short = strings.TrimPrefix(name, prefix)
	}
	words := strings.Split(short, "_")
	last := words[len(words)-1]
	member = strings.ToUpper(last[:1]) + last[1:]
	if legacy {
		member += "Legacy"
	}
	if len(words) == 1 {
		return "index", member
	}
	return strings.Join(words[:len(words)-1], "/"), member
}
