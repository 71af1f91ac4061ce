package pxar

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// shown is what a tree holds, by path.
func shown(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.Walk(root, func(path string, info os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		relative, _ := filepath.Rel(root, path)
		text := info.Mode().String() + " " + info.ModTime().UTC().String()
		switch {
		case info.Mode().IsRegular():
			content, _ := os.ReadFile(path)
			text += " " + string(content)
		case info.Mode()&os.ModeSymlink != 0:
			target, _ := os.Readlink(path)
			text += " " + target
		}
		all[relative] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func makeTree(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(root, "a directory/empty"), 0o750))
	must(os.WriteFile(filepath.Join(root, "file"), []byte("content"), 0o640))
	must(os.WriteFile(filepath.Join(root, "a directory/ü"), bytes.Repeat([]byte("x"), 100_000), 0o600))
	must(os.Symlink("../file", filepath.Join(root, "a directory/link")))
	must(os.Link(filepath.Join(root, "file"), filepath.Join(root, "second")))
	must(syscall.Mkfifo(filepath.Join(root, "fifo"), 0o600))
	return root
}

func TestTreesComeBack(t *testing.T) {
	root, target := makeTree(t), filepath.Join(t.TempDir(), "back")
	var archive bytes.Buffer
	if err := Create(root, &archive, CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := Extract(bytes.NewReader(archive.Bytes()), target, ExtractOptions{}); err != nil {
		t.Fatal(err)
	}
	before, after := shown(t, root), shown(t, target)
	if len(before) != len(after) {
		t.Errorf("%d entries, %d", len(before), len(after))
	}
	for path, text := range before {
		if after[path] != text {
			t.Errorf("%s: %.80q, %.80q", path, text, after[path])
		}
	}
	for cut := 0; cut < archive.Len(); cut += archive.Len()/50 + 1 {
		if err := Extract(bytes.NewReader(archive.Bytes()[:cut]), t.TempDir(), ExtractOptions{AllowExistingDirs: true}); err == nil {
			t.Errorf("an archive cut at %d is taken", cut)
		}
	}
}

type flagsOf map[string]uint64

func (f flagsOf) Enter(e *Entry, _ io.Reader) error { f[e.Path] = e.Flags; return nil }
func (flagsOf) Leave(*Entry) error                  { return nil }

// no access times: a flag that takes no capability.
const noAtime = 0x0002_0000

func TestFlagsComeBack(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := applyFlags(path, noAtime); err != nil || readFlags(path)&noAtime == 0 {
		t.Skip("no flags on this file system", err)
	}
	var archive bytes.Buffer
	if err := Create(root, &archive, CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	found := flagsOf{}
	if err := Walk(bytes.NewReader(archive.Bytes()), found); err != nil || found["file"]&noAtime == 0 {
		t.Errorf("%v, %v", found, err)
	}
	target := filepath.Join(t.TempDir(), "back")
	if err := Extract(&archive, target, ExtractOptions{}); err != nil || readFlags(filepath.Join(target, "file"))&noAtime == 0 {
		t.Errorf("not set again: %v", err)
	}
}

func TestFlagsAreNamedAsTheArchiveHasThem(t *testing.T) {
	const immutable, appendOnly = 0x10, 0x20
	if flags := archiveFlags(immutable | appendOnly | 0x80000); flags != 0x0040_0000|0x0001_0000 {
		t.Errorf("%x", flags)
	}
	if flags, _ := kernelFlags(0x0040_0000 | 0x2); flags != immutable {
		t.Errorf("%x", flags)
	}
}
