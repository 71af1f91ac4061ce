// Command proxmox-backup-client stands in for Proxmox's program of that name where that cannot be had: same
// documented command line, same documented protocol and file formats.
package main

import (
	"errors"
	"fmt"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/client"
	"docker-node/lab/pbs/internal/format"
)

var (
	errPattern = errors.New("value does not match the regex pattern")
	repository = cli.Option{Name: "repository", Help: "Repository URL: [[auth-id@]server[:port]:]datastore", Check: func(v string) error {
		if _, err := format.ParseRepository(v); err != nil {
			return errPattern
		}
		return nil
	}}
	ns       = cli.Option{Name: "ns", Check: format.CheckNamespace, Help: "Namespace."}
	snapshot = cli.Arg{Name: "snapshot"}
	group    = cli.Arg{Name: "group"}
)

func id(v string) error {
	if !format.IDRegexp.MatchString(v) {
		return errPattern
	}
	return nil
}

func spec(v string) error {
	if !format.SpecRegexp.MatchString(v) {
		return errPattern
	}
	return nil
}

func chunkSize(v string) error {
	for size := 64; size <= 4096; size *= 2 {
		if v == fmt.Sprint(size) {
			return nil
		}
	}
	return errors.New("chunk size must be a power of two between 64 and 4096 KiB")
}

func options(more ...cli.Option) []cli.Option { return append([]cli.Option{repository}, more...) }

func crypt(more ...cli.Option) []cli.Option { return append(options(client.CryptoOptions...), more...) }

func switches(names ...string) (list []cli.Option) {
	for _, name := range names {
		list = append(list, cli.Option{Name: name, Kind: cli.Bool})
	}
	return list
}

func backup() cli.Command {
	more := []cli.Option{
		ns,
		{Name: "backup-type", Choices: []string{"vm", "ct", "host"}, Help: "Backup type."},
		{Name: "backup-id", Check: id, Help: "Backup ID, the host's name unless given."},
		{Name: "backup-time", Kind: cli.Int, Help: "Backup time (Unix epoch.)"},
		{Name: "include-dev", Kind: cli.List, Help: "Include mountpoints with same st_dev number as specified files."},
		{Name: "exclude", Kind: cli.List, Help: "Paths or patterns of files to exclude."},
		{Name: "entries-max", Kind: cli.Int, Help: "Max number of entries to hold in memory."},
		{Name: "chunk-size", Kind: cli.Int, Check: chunkSize, Help: "Chunk size in KiB. Must be a power of 2."},
		{Name: "change-detection-mode", Choices: []string{"legacy"}, Help: "Only legacy here."},
	}
	more = append(more, switches("all-file-systems", "skip-lost-and-found", "dry-run", "skip-e2big-xattr")...)
	return cli.Command{
		Words: "backup", Args: []cli.Arg{{Name: "backupspec", Repeated: true, Check: spec}}, Options: crypt(more...),
		Help: "Create (host) backup of [<label.ext>:<path>] ...", Run: client.Backup,
	}
}

func restore() cli.Command {
	more := append(switches("allow-existing-dirs", "ignore-acls", "ignore-xattrs", "ignore-ownership", "ignore-permissions",
		"overwrite", "overwrite-files", "overwrite-symlinks", "overwrite-hardlinks", "ignore-extract-device-errors"), ns,
		cli.Option{Name: "pattern", Kind: cli.List, Help: "Path or pattern matching files to restore."})
	return cli.Command{
		Words: "restore", Args: []cli.Arg{snapshot, {Name: "archive-name"}, {Name: "target"}}, Options: crypt(more...),
		Help: "Restore an archive. Target '-' writes it to standard output; '.pxar' archives are not extracted then.", Run: client.Restore,
	}
}

func prune() cli.Command {
	more := append(switches("dry-run", "quiet"), ns, cli.OutputFormat)
	for _, name := range client.KeepOptions {
		more = append(more, cli.Option{Name: name, Kind: cli.Int, Help: "Number of backups to keep."})
	}
	return cli.Command{Words: "prune", Args: []cli.Arg{group}, Options: options(more...), Help: "Prune a backup repository.", Run: client.Prune}
}

func snapshots() []cli.Command {
	one := []cli.Arg{snapshot}
	return []cli.Command{
		{Words: "snapshot list", Args: []cli.Arg{{Name: "group", Optional: true}}, Options: options(ns, cli.OutputFormat), Help: "List backup snapshots.", Run: client.SnapshotList},
		{Words: "snapshot files", Args: one, Options: options(ns, cli.OutputFormat), Help: "List snapshot files.", Run: client.SnapshotFiles},
		{Words: "snapshot forget", Args: one, Options: options(ns), Help: "Forget (remove) backup snapshots.", Run: client.SnapshotForget},
		{Words: "snapshot upload-log", Args: append(one, cli.Arg{Name: "logfile"}), Options: crypt(ns), Help: "Upload backup log file.", Run: client.UploadLog},
		{Words: "snapshot notes show", Args: one, Options: options(ns, cli.OutputFormat), Help: "Show notes.", Run: client.NotesShow},
		{Words: "snapshot notes update", Args: append(one, cli.Arg{Name: "notes"}), Options: options(ns), Help: "Update notes.", Run: client.NotesUpdate},
		{Words: "snapshot protected show", Args: one, Options: options(ns, cli.OutputFormat), Help: "Show protection status.", Run: client.ProtectedShow},
		{Words: "snapshot protected update", Args: append(one, cli.Arg{Name: "protected"}), Options: options(ns), Help: "Update protection.", Run: client.ProtectedUpdate},
	}
}

func others() []cli.Command {
	path := []cli.Arg{{Name: "path", Optional: true}}
	kdf := cli.Option{Name: "kdf", Choices: []string{"none", "scrypt", "pbkdf2"}, Help: "Key derivation function."}
	return []cli.Command{
		{Words: "list", Options: options(ns, cli.OutputFormat), Help: "List backup groups.", Run: client.Groups},
		{Words: "catalog dump", Args: []cli.Arg{snapshot}, Options: crypt(ns), Help: "Dump catalog.", Run: client.CatalogDump},
		{Words: "key create", Args: path, Options: []cli.Option{kdf, {Name: "hint"}}, Help: "Create a new encryption key.", Run: client.KeyCreate},
		{Words: "key show", Args: path, Options: []cli.Option{cli.OutputFormat}, Help: "Print the encryption key's metadata.", Run: client.KeyShow},
		{Words: "key paperkey", Args: path, Options: []cli.Option{client.PaperFormat, {Name: "subject"}}, Help: "Print the key, to be kept on paper.", Run: client.KeyPaper},
		{Words: "namespace list", Options: options(ns, cli.OutputFormat, cli.Option{Name: "max-depth", Kind: cli.Int}), Help: "List namespaces in a repository.", Run: client.NamespaceList},
		{Words: "namespace create", Args: []cli.Arg{{Name: "ns", Optional: true, Check: format.CheckNamespace}}, Options: options(), Help: "Create a new namespace.", Run: client.NamespaceCreate},
		{Words: "namespace delete", Args: []cli.Arg{{Name: "ns", Optional: true, Check: format.CheckNamespace}}, Options: options(switches("delete-groups")...), Help: "Delete a namespace.", Run: client.NamespaceDelete},
		{Words: "change-owner", Args: []cli.Arg{group, {Name: "new-owner"}}, Options: options(ns), Help: "Change owner of a backup group.", Run: client.ChangeOwner},
		{Words: "garbage-collect", Options: options(cli.OutputFormat), Help: "Start garbage collection.", Run: client.GarbageCollect},
		{Words: "status", Options: options(cli.OutputFormat), Help: "Get repository status.", Run: client.Status},
		{Words: "version", Options: options(cli.OutputFormat), Help: "Show client and optional server version.", Run: client.ShowVersion},
		{Words: "login", Options: options(), Help: "Try to login. If successful, store ticket.", Run: login},
		{Words: "logout", Options: options(), Help: "Logout (delete stored ticket).", Run: logout},
	}
}

func login(p cli.Params) error {
	repo, err := client.Repository(p)
	if err != nil {
		return err
	}
	c, err := client.Connect(repo)
	if err != nil {
		return err
	}
	return c.Login()
}

func logout(p cli.Params) error {
	repo, err := client.Repository(p)
	if err != nil {
		return err
	}
	return client.Logout(repo)
}

func main() {
	commands := append([]cli.Command{backup(), restore(), prune()}, append(snapshots(), others()...)...)
	cli.Program{
		Name: "proxmox-backup-client", Note: format.StandIn, Commands: commands,
		Aliases: map[string]string{"files": "snapshot files", "forget": "snapshot forget"},
	}.Main()
}
