package format

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// MaxBlob is the most data a blob or chunk may hold.
const MaxBlob = 16 << 20

var (
	magicPlain         = []byte{66, 171, 56, 7, 190, 131, 112, 161}
	magicCompressed    = []byte{49, 185, 88, 66, 111, 182, 163, 127}
	magicEncrypted     = []byte{123, 103, 133, 190, 34, 45, 76, 240}
	magicEncrCompr     = []byte{230, 89, 27, 191, 11, 191, 216, 11}
	errCrc             = errors.New("Data blob has wrong CRC checksum.")
	errMagic           = errors.New("Invalid blob magic number.")
	plainHeader        = 12
	encryptedHeader    = 44
	errShort           = errors.New("data blob too small.")
	errTooLarge        = errors.New("data blob too large after decompression.")
	errMissingKey      = errors.New("unable to decrypt blob - missing CryptConfig")
	errUndecipherable  = "unable to decrypt blob - %w"
	errWrongDigestText = errors.New("detected chunk with wrong digest.")
)

var (
	compressor   = sync.OnceValue(func() *zstd.Encoder { return must(zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest))) })
	decompressor = sync.OnceValue(func() *zstd.Decoder { return must(zstd.NewReader(nil, zstd.WithDecoderMaxMemory(2*MaxBlob))) })
)

// must is for options that are constants.
func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// decompress unpacks zstd, and no more than a blob may hold.
func decompress(data []byte) ([]byte, error) {
	out, err := decompressor().DecodeAll(data, nil)
	if err == nil && len(out) > MaxBlob {
		err = errTooLarge
	}
	return out, err
}

// EncodeBlob wraps data as the documented data blob, encrypted if there is a key.
func EncodeBlob(data []byte, key *Crypt) ([]byte, error) { return encodeBlob(data, key, false) }

// EncodeCompressed does the same, and compresses what becomes smaller by it.
func EncodeCompressed(data []byte, key *Crypt) ([]byte, error) {
	if small := compressor().EncodeAll(data, nil); len(small) < len(data) && len(data) <= MaxBlob {
		return encodeBlob(small, key, true)
	}
	return encodeBlob(data, key, false)
}

func encodeBlob(data []byte, key *Crypt, compressed bool) ([]byte, error) {
	if len(data) > MaxBlob {
		return nil, fmt.Errorf("data blob too large (%d bytes).", len(data))
	}
	plain, encrypted := magicPlain, magicEncrypted
	if compressed {
		plain, encrypted = magicCompressed, magicEncrCompr
	}
	if key == nil {
		raw := make([]byte, plainHeader, plainHeader+len(data))
		copy(raw, plain)
		raw = append(raw, data...)
		binary.LittleEndian.PutUint32(raw[8:], crc32.ChecksumIEEE(raw[plainHeader:]))
		return raw, nil
	}
	return key.seal(encrypted, data)
}

// seal makes an encrypted blob.
func (key *Crypt) seal(magic, data []byte) ([]byte, error) {
	raw := make([]byte, encryptedHeader, encryptedHeader+len(data)+16)
	copy(raw, magic)
	if _, err := rand.Read(raw[12:28]); err != nil {
		return nil, err
	}
	raw = key.aead.Seal(raw, raw[12:28], data, nil)
	end := len(raw) - 16 // the tag goes before the data
	copy(raw[28:44], raw[end:])
	raw = raw[:end]
	binary.LittleEndian.PutUint32(raw[8:], crc32.ChecksumIEEE(raw[encryptedHeader:]))
	return raw, nil
}

func headerOf(raw []byte) (int, error) {
	if len(raw) < plainHeader {
		return 0, errShort
	}
	switch magic := raw[:8]; {
	case bytes.Equal(magic, magicPlain), bytes.Equal(magic, magicCompressed):
		return plainHeader, nil
	case bytes.Equal(magic, magicEncrypted), bytes.Equal(magic, magicEncrCompr):
		if len(raw) < encryptedHeader {
			return 0, errShort
		}
		return encryptedHeader, nil
	}
	return 0, errMagic
}

// CheckBlob verifies form and CRC, which needs no key.
func CheckBlob(raw []byte) error {
	header, err := headerOf(raw)
	if err != nil {
		return err
	}
	if binary.LittleEndian.Uint32(raw[8:]) != crc32.ChecksumIEEE(raw[header:]) {
		return errCrc
	}
	return nil
}

// DecodeBlob unwraps a blob.
func DecodeBlob(raw []byte, key *Crypt) ([]byte, error) {
	if err := CheckBlob(raw); err != nil {
		return nil, err
	}
	magic := raw[:8]
	if bytes.Equal(magic, magicPlain) {
		return raw[plainHeader:], nil
	}
	if bytes.Equal(magic, magicCompressed) {
		return decompress(raw[plainHeader:])
	}
	if key == nil {
		return nil, errMissingKey
	}
	sealed := append(bytes.Clone(raw[encryptedHeader:]), raw[28:44]...)
	data, err := key.aead.Open(sealed[:0], raw[12:28], sealed, nil)
	if err != nil {
		return nil, fmt.Errorf(errUndecipherable, err)
	}
	if bytes.Equal(magic, magicEncrCompr) {
		return decompress(data)
	}
	return data, nil
}

// DecodeChunk unwraps a chunk and verifies that it is the one named.
func DecodeChunk(raw []byte, key *Crypt, digest Digest) ([]byte, error) {
	data, err := DecodeBlob(raw, key)
	if err != nil {
		return nil, err
	}
	if key.Digest(data) != digest {
		return nil, errWrongDigestText
	}
	return data, nil
}

// VerifyUnencrypted checks what a server can check without keys: chunks that are not encrypted by their digest.
func VerifyUnencrypted(raw []byte, size int, digest Digest) error {
	if err := CheckBlob(raw); err != nil {
		return err
	}
	if bytes.Equal(raw[:8], magicEncrypted) || bytes.Equal(raw[:8], magicEncrCompr) {
		return nil
	}
	data, err := DecodeBlob(raw, nil)
	if err != nil {
		return err
	}
	if len(data) != size {
		return fmt.Errorf("detected chunk with wrong length (%d != %d)", len(data), size)
	}
	if (*Crypt)(nil).Digest(data) != digest {
		return errWrongDigestText
	}
	return nil
}
