// Encodes the content of files.

package pxar

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// openQuietly does not change the access time if the owner or root asks.
func openQuietly(full string) (*os.File, error) {
	flags := os.O_RDONLY | syscall.O_NOFOLLOW | syscall.O_NONBLOCK
	file, err := os.OpenFile(full, flags|oNoatime, 0)
	if errors.Is(err, syscall.EPERM) {
		return os.OpenFile(full, flags, 0)
	}
	return file, err
}

func (e *encoder) file(relative, name, full string, st *syscall.Stat_t, named func() error) error {
	id := [2]uint64{st.Dev, st.Ino}
	if first, known := e.links[id]; known && st.Nlink > 1 {
		offset := e.pos - first.offset
		e.Catalog.Add('h', name, 0, 0)
		return errors.Join(e.item(tFilename, []byte(name), []byte{0}),
			e.item(tHardlink, numbers(offset), []byte(first.path), []byte{0}))
	}
	file, err := openQuietly(full)
	if err != nil {
		return e.unreadable(relative, err)
	}
	defer file.Close()
	if st.Nlink > 1 {
		e.links[id] = hardlink{relative, e.pos}
	}
	e.Catalog.Add('f', name, st.Size, st.Mtim.Sec)
	if err := errors.Join(named(), e.header(tPayload, 16+uint64(st.Size))); err != nil {
		return err
	}
	return e.payload(relative, file, st.Size)
}

// payload writes exactly the size announced, whatever happens to the file meanwhile. Holes are not read.
func (e *encoder) payload(relative string, file *os.File, size int64) error {
	sparse := isSparse(file, size)
	for done := int64(0); done < size; {
		if sparse {
			data := min(NextData(file, done, size), size)
			if err := e.zeros(data - done); err != nil {
				return err
			}
			if done = data; done == size {
				break
			}
		}
		n, err := file.ReadAt(e.buffer[:min(int64(len(e.buffer)), size-done)], done)
		if n == 0 {
			return e.padded(relative, size-done, err)
		}
		if err := e.raw(e.buffer[:n]); err != nil {
			return err
		}
		done += int64(n)
	}
	e.warnIfLonger(relative, file, size)
	return nil
}

func (e *encoder) warnIfLonger(relative string, file *os.File, size int64) {
	if n, _ := file.ReadAt(e.buffer[:1], size); n > 0 {
		e.Warn("warning: file size increased while reading: %q, file will be truncated!", relative)
	}
}

func isSparse(file *os.File, size int64) bool {
	info, err := file.Stat()
	return err == nil && info.Sys().(*syscall.Stat_t).Blocks*512 < size
}

// padded writes zeros for what a file no longer has.
func (e *encoder) padded(relative string, missing int64, err error) error {
	if err != io.EOF {
		return fmt.Errorf("error at %q: %w", relative, err)
	}
	e.Warn("warning: file size shrunk while reading: %q, file will be padded with zeros!", relative)
	return e.zeros(missing)
}

var zeros [1 << 16]byte

func (e *encoder) zeros(n int64) error {
	for n > 0 {
		step := min(n, int64(len(zeros)))
		if err := e.raw(zeros[:step]); err != nil {
			return err
		}
		n -= step
	}
	return nil
}
