// Cuts a stream into chunks.

package client

import (
	"docker-node/lab/pbs/internal/format"
)

// chunker cuts a stream where its content says so, so that what is inserted moves the cuts only nearby.
type chunker struct {
	average int
	buffer  []byte
	roll    uint64
	cut     func([]byte) error
}

// gear is a table of fixed random numbers (splitmix64 of 1, 2, 3, …).
var gear = func() (table [256]uint64) {
	for i := range table {
		z := uint64(i+1) * 0x9e3779b97f4a7c15
		z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		table[i] = z ^ z>>31
	}
	return table
}()

func newChunker(average int, cut func([]byte) error) *chunker {
	return &chunker{average: average, buffer: make([]byte, 0, average), cut: cut}
}

func (c *chunker) Write(data []byte) (int, error) {
	least, most := c.average/4, min(c.average*4, format.MaxBlob)
	mask := uint64(c.average-1) << 20
	total := len(data)
	for len(data) > 0 {
		n, found := 0, false
		if room := least - len(c.buffer); room > 0 {
			n = min(room, len(data))
		}
		for limit := min(len(data), most-len(c.buffer)); n < limit && !found; n++ {
			c.roll = c.roll<<1 + gear[data[n]]
			found = c.roll&mask == 0
		}
		c.buffer = append(c.buffer, data[:n]...)
		data = data[n:]
		if found || len(c.buffer) == most {
			if err := c.flush(); err != nil {
				return total - len(data), err
			}
		}
	}
	return total, nil
}

func (c *chunker) flush() error {
	if len(c.buffer) == 0 {
		return nil
	}
	chunk := c.buffer
	c.buffer, c.roll = make([]byte, 0, c.average), 0
	return c.cut(chunk)
}
