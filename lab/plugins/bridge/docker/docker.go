// Package docker maps kreuzwerker's Terraform provider for Docker to the names of
// the npm package @pulumi/docker. The Image resource of that package, a build of an
// image by upstream's own code, has no Terraform counterpart and is absent.
package docker

import (
	"context"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge/tokens"
	sdkv2 "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim/sdk-v2"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"

	"github.com/terraform-providers/terraform-provider-docker/lab/generated"
)

const (
	// Name of the Pulumi package.
	Name = "docker"
	// Version of the npm package whose names this plugin serves.
	Version = "5.2.0"
	// upstream is the version of kreuzwerker's provider.
	upstream = "0.0.0-20260916201441-96d331c98ff4"
	// nameLength bounds the names Pulumi makes up for resources which have none.
	nameLength = 255
)

// Provider describes the plugin to the bridge.
func Provider() tfbridge.ProviderInfo {
	info := tfbridge.ProviderInfo{
		Name:    Name,
		Version: Version,
		P: pf.MuxShimWithPF(context.Background(),
			sdkv2.NewProvider(provider.New(upstream)()),
			provider.NewFrameworkProvider(upstream)()),
		MetadataInfo: tfbridge.NewProviderMetadata(generated.Metadata(Name)),
		Config:       map[string]*tfbridge.SchemaInfo{"registry_auth": {Name: "registryAuth"}},
		Resources:    resources(),
		DataSources: map[string]*tfbridge.DataSourceInfo{
			"docker_image": {Tok: tfbridge.MakeDataSource(Name, "index", "getRemoteImage")},
		},
	}
	info.MustComputeTokens(tokens.SingleModule("docker_", "index", tokens.MakeStandard(Name)))
	info.SetAutonaming(nameLength, "-")
	return info
}

// resources lists those whose names differ from what the bridge derives. The name of
// an image is what it is pulled by, so unlike other names it is never made up.
func resources() map[string]*tfbridge.ResourceInfo {
	return map[string]*tfbridge.ResourceInfo{
		"docker_config": {Tok: tfbridge.MakeResource(Name, "index", "ServiceConfig")},
		"docker_container": {
			Tok: tfbridge.MakeResource(Name, "index", "Container"),
			Fields: map[string]*tfbridge.SchemaInfo{
				"command":           {Name: "command"},
				"networks_advanced": {Name: "networksAdvanced"},
			},
		},
		"docker_image": {
			Tok:    tfbridge.MakeResource(Name, "index", "RemoteImage"),
			Fields: map[string]*tfbridge.SchemaInfo{"name": {Name: "name"}},
		},
	}
}
