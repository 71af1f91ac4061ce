// The catalog of an archive: who makes one may follow its entries.

package pxar

// Catalog is told of every entry.
type Catalog interface {
	Start(name string)
	End()
	Add(kind byte, name string, size, mtime int64)
}

type noCatalog struct{}

func (noCatalog) Start(string)                   {}
func (noCatalog) End()                           {}
func (noCatalog) Add(byte, string, int64, int64) {}
