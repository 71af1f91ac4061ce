package pxar

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"syscall"
)

// ExtractOptions say how an archive becomes files.
type ExtractOptions struct {
	Match                                                                     []Pattern // of paths to extract; all if empty
	AllowExistingDirs                                                         bool
	OverwriteFiles, OverwriteSymlinks, OverwriteHardlinks                     bool
	IgnoreXattrs, IgnoreACLs, IgnoreFcaps, IgnoreOwnership, IgnorePermissions bool
	NoDevices, NoFifos, NoSockets                                             bool
	IgnoreDeviceErrors                                                        bool
	OnError                                                                   func(error) error // nil: every error ends it
}

type extractor struct {
	ExtractOptions
	root  string
	state map[string]bool // of directories under way: was it made?
}

// Extract makes an archive's files below a directory, which is made if it is not there.
func Extract(in io.Reader, target string, options ExtractOptions) error {
	if err := os.MkdirAll(target, 0o755); err != nil {
		return fmt.Errorf("error creating directory %q - %w", target, err)
	}
	x := &extractor{options, target, map[string]bool{"": true}}
	return Walk(in, x)
}

func (x *extractor) full(relative string) string { return filepath.Join(x.root, relative) }

func (x *extractor) failed(relative string, err error) error {
	if err == nil {
		return nil
	}
	err = &EntryError{relative, err}
	if x.OnError != nil {
		return x.OnError(err)
	}
	return err
}

// EntryError says at which entry something went wrong.
type EntryError struct {
	Path string
	Err  error
}

func (e *EntryError) Error() string { return fmt.Sprintf("error at entry %q: %v", e.Path, e.Err) }

// Unwrap gives the reason.
func (e *EntryError) Unwrap() error { return e.Err }

func (x *extractor) wanted(e *Entry) bool {
	if len(x.Match) == 0 {
		return true
	}
	for p := e.Path; p != "." && p != ""; p = path.Dir(p) {
		for _, m := range x.Match {
			if (p != e.Path || !m.onlyDir || e.kind() == syscall.S_IFDIR) && m.regexp.MatchString(p) {
				return true
			}
		}
	}
	return false
}

// Enter makes an entry; directories get their metadata when they are complete.
func (x *extractor) Enter(e *Entry, payload io.Reader) error {
	if e.kind() == syscall.S_IFDIR && !e.Hardlink {
		if e.Path == "" || !x.wanted(e) {
			return nil
		}
		return x.failed(e.Path, x.directories(e.Path))
	}
	if !x.wanted(e) {
		return nil
	}
	if err := x.directories(path.Dir(e.Path)); err != nil {
		return x.failed(e.Path, err)
	}
	return x.failed(e.Path, x.make(e, payload))
}

// directories makes a directory and those above it, which may have been passed over so far.
func (x *extractor) directories(relative string) error {
	if relative == "." || x.state[relative] {
		return nil
	}
	if err := x.directories(path.Dir(relative)); err != nil {
		return err
	}
	full := x.full(relative)
	if err := os.Mkdir(full, 0o700); err != nil {
		info, statErr := os.Lstat(full)
		if statErr != nil || !info.IsDir() || !x.AllowExistingDirs {
			return fmt.Errorf("error creating directory %q - %w", relative, err)
		}
	}
	x.state[relative] = true
	return nil
}

// Leave gives a directory its metadata.
func (x *extractor) Leave(e *Entry) error {
	if !x.state[e.Path] || e.Path == "" && len(x.Match) > 0 {
		return nil
	}
	delete(x.state, e.Path)
	return x.failed(e.Path, x.apply(e))
}
