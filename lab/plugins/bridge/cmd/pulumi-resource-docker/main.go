// Command pulumi-resource-docker serves the provider to Pulumi.
package main

import (
	"context"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"

	"github.com/terraform-providers/terraform-provider-docker/lab/docker"
	"github.com/terraform-providers/terraform-provider-docker/lab/generated"
)

func main() {
	pf.MainWithMuxer(context.Background(), docker.Name, docker.Provider(), generated.Schema(docker.Name))
}
