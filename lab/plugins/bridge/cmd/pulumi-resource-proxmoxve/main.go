// Command pulumi-resource-proxmoxve serves the provider to Pulumi.
package main

import (
	"context"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"

	"github.com/terraform-providers/terraform-provider-docker/lab/generated"
	"github.com/terraform-providers/terraform-provider-docker/lab/proxmoxve"
)

func main() {
	pf.MainWithMuxer(context.Background(), proxmoxve.Name, proxmoxve.Provider(), generated.Schema(proxmoxve.Name))
}
