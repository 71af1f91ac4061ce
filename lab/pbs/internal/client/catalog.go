// Prints the catalog of a snapshot.

package client

import (
	"bytes"
	"fmt"
	"os"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
)

// CatalogDump lists everything in a snapshot's file archives.
func CatalogDump(p cli.Params) error {
	r, err := openSnapshot(p, exactSnapshot)
	if err != nil {
		return err
	}
	defer r.session.close()
	index, err := r.index(format.CatalogName)
	if err != nil {
		return err
	}
	var catalog bytes.Buffer
	if err := r.stream(index, &catalog); err != nil {
		return fmt.Errorf("unable to download catalog - %w", err)
	}
	return format.DumpCatalog(catalog.Bytes(), os.Stderr) // as the program this one stands for
}
