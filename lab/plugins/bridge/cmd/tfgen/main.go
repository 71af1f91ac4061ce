// Command tfgen writes the schema and the metadata of a provider:
//
//	tfgen NAME schema --skip-docs --skip-examples --out generated/NAME
package main

import (
	"fmt"
	"os"

	pf "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfgen"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"

	"github.com/terraform-providers/terraform-provider-docker/lab/docker"
	"github.com/terraform-providers/terraform-provider-docker/lab/proxmoxve"
)

func main() {
	providers := map[string]func() tfbridge.ProviderInfo{
		docker.Name:    docker.Provider,
		proxmoxve.Name: proxmoxve.Provider,
	}
	if len(os.Args) < 2 || providers[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: tfgen docker|proxmoxve schema [flags]")
		os.Exit(2)
	}
	name := os.Args[1]
	os.Args = append(os.Args[:1], os.Args[2:]...)
	pf.MainWithMuxer(name, providers[name]())
}
