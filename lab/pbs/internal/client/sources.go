// What is backed up: archives by name, and where they come from.

package client

import (
	"errors"
	"fmt"
	"io"
	"os"

	"docker-node/lab/pbs/internal/format"
)

// source is one archive to be.
type source struct {
	kind, name, path string // kind: pxar, img, conf, log
	size             int64
}

func (s source) target() string {
	return s.name + map[string]string{"pxar": ".didx", "img": ".fidx", "conf": ".blob", "log": ".blob"}[s.kind]
}

// sources checks what is asked for before anything is sent.
func sources(specs []string) ([]source, error) {
	var list []source
	seen := map[string]bool{}
	for _, spec := range specs {
		m := format.SpecRegexp.FindStringSubmatch(spec)
		if m == nil {
			return nil, fmt.Errorf("unable to parse backup source specification '%s'", spec)
		}
		s := source{kind: m[2], name: m[1], path: m[3]}
		if seen[s.name] {
			return nil, fmt.Errorf("got target twice: '%s'", s.name)
		}
		seen[s.name] = true
		if err := s.look(); err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// look learns the size of a disk, and whether the file is of the kind that the archive is for.
func (s *source) look() error {
	info, err := os.Stat(s.path)
	if err != nil {
		return fmt.Errorf("unable to access '%s' - %w", s.path, errors.Unwrap(err))
	}
	block := info.Mode()&os.ModeDevice != 0 && info.Mode()&os.ModeCharDevice == 0
	switch {
	case s.kind == "pxar" && !info.IsDir():
		return errors.New("got unexpected file type (expected directory)")
	case s.kind == "img" && !info.Mode().IsRegular() && !block:
		return errors.New("got unexpected file type (expected file or block device)")
	case (s.kind == "conf" || s.kind == "log") && !info.Mode().IsRegular():
		return errors.New("got unexpected file type (expected regular file)")
	}
	if s.kind == "img" {
		s.size, err = imageSize(s.path)
	}
	return err
}

func imageSize(path string) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer file.Close()
	size, err := file.Seek(0, io.SeekEnd) // of a block device too
	if err == nil && size == 0 {
		err = fmt.Errorf("got zero-sized file '%s'", path)
	}
	return size, err
}

func describe(s source) string {
	return map[string]string{"pxar": "directory", "img": "image", "conf": "config file", "log": "log file"}[s.kind]
}
