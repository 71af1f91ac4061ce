// Package generated embeds what cmd/tfgen derives from the providers at build
// time. Both files are absent, and read as empty, until it has run.
package generated

import "embed"

//go:embed all:*
var files embed.FS

// Schema is the Pulumi package schema of the named provider.
func Schema(provider string) []byte {
	return read(provider + "/schema.json")
}

// Metadata is the bridge's record of decisions made while generating the schema.
func Metadata(provider string) []byte {
	return read(provider + "/bridge-metadata.json")
}

func read(name string) []byte {
	content, err := files.ReadFile(name)
	if err != nil {
		return nil
	}
	return content
}
