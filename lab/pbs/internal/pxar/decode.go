package pxar

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"syscall"
)

// Entry is what a Visitor is shown. Path is relative to the root, "" for the root itself.
type Entry struct {
	Path string
	Metadata
	Target   string // of a symbolic link, or the path a hard link was first seen at
	Hardlink bool
	Rdev     uint64
	Size     int64
}

// Visitor is led through an archive: Enter for everything, Leave when a directory ends. The payload of a
// file may be left unread.
type Visitor interface {
	Enter(entry *Entry, payload io.Reader) error
	Leave(entry *Entry) error
}

type decoder struct {
	in      *bufio.Reader
	visitor Visitor
	kind    uint64
	size    uint64 // of the item's content
	peeked  bool
}

// Walk reads an archive from its beginning to its end.
func Walk(in io.Reader, visitor Visitor) error {
	d := &decoder{in: bufio.NewReaderSize(in, 1<<20), visitor: visitor}
	if err := d.next(); err != nil {
		if err == io.EOF {
			return errors.New("the archive is empty")
		}
		return err
	}
	d.peeked = true
	if err := d.entry(""); err != nil {
		return err
	}
	if _, err := d.in.ReadByte(); err != io.EOF {
		return errors.New("there is more after the end of the archive")
	}
	return nil
}

// entry reads one entry with everything below it. A file name has been read before.
func (d *decoder) entry(path string) error {
	if err := d.must(); err != nil {
		return err
	}
	e := &Entry{Path: path}
	if d.kind == tHardlink && path != "" {
		return d.hardlink(e)
	}
	if d.kind != tEntry && d.kind != tEntryV1 {
		return fmt.Errorf("unexpected header %x at %q, this is no pxar archive", d.kind, path)
	}
	data, err := d.content()
	if err != nil {
		return err
	}
	if err := e.readStat(data, d.kind == tEntryV1); err != nil {
		return err
	}
	return d.rest(e)
}

func (d *decoder) hardlink(e *Entry) error {
	data, err := d.content()
	if err != nil {
		return err
	}
	if len(data) < 10 || data[len(data)-1] != 0 {
		return fmt.Errorf("invalid hard link at %q", e.Path)
	}
	e.Hardlink, e.Target = true, string(data[8:len(data)-1])
	return d.visitor.Enter(e, nil)
}

func (d *decoder) payload(e *Entry) error {
	if e.kind() != syscall.S_IFREG {
		return fmt.Errorf("unexpected content of %q, which is no file", e.Path)
	}
	e.Size = int64(d.size)
	if e.Size < 0 {
		return fmt.Errorf("invalid size of %q", e.Path)
	}
	limited := &io.LimitedReader{R: d.in, N: e.Size}
	if err := d.visitor.Enter(e, limited); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, limited); err != nil {
		return err
	}
	if limited.N > 0 {
		return cut(io.EOF)
	}
	return nil
}

// below reads an entry of a directory, from its name on.
func (d *decoder) below(path string) error {
	name, err := d.text()
	if err != nil {
		return err
	}
	if err := checkName(name); err != nil {
		return err
	}
	if path != "" {
		name = path + "/" + name
	}
	return d.entry(name)
}

func (d *decoder) directory(e *Entry) error {
	if err := d.visitor.Enter(e, nil); err != nil {
		return err
	}
	for {
		if err := d.must(); err != nil {
			return err
		}
		if d.kind == tGoodbye {
			break
		}
		if d.kind != tFilename {
			return fmt.Errorf("unexpected header %x in %q", d.kind, e.Path)
		}
		if err := d.below(e.Path); err != nil {
			return err
		}
	}
	if n, err := io.CopyN(io.Discard, d.in, int64(d.size)); err != nil || n != int64(d.size) {
		return cut(io.EOF)
	}
	return d.visitor.Leave(e)
}
