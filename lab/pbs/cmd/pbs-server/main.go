// Command pbs-server is a backup server for the lab: it speaks the documented backup protocol over HTTPS and
// keeps chunks and snapshots in the documented formats. It is not Proxmox Backup Server.
package main

import (
	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
	"docker-node/lab/pbs/internal/server"
	"fmt"
)

func main() {
	cli.Program{
		Name: "pbs-server", Note: format.StandIn,
		Commands: []cli.Command{
			{
				Words: "serve", Args: []cli.Arg{{Name: "settings"}}, Help: "Serve what a settings file (JSON) says; it is read again when it changes.",
				Run: func(p cli.Params) error { return server.Run(p.Get("settings")) },
			},
			{
				Words: "version", Help: "Say what this is.",
				Run: func(cli.Params) error { fmt.Printf("pbs-server %s (%s)\n", format.Version, format.StandIn); return nil },
			},
		},
	}.Main()
}
