package format

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func makeKey(t *testing.T) *Crypt {
	t.Helper()
	key := make([]byte, 32)
	_, _ = rand.Read(key)
	crypt, err := NewCrypt(key)
	if err != nil {
		t.Fatal(err)
	}
	return crypt
}

func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data)
	return data
}

func TestBlobsComeBack(t *testing.T) {
	key := makeKey(t)
	encoders := map[string]func([]byte, *Crypt) ([]byte, error){"plain": EncodeBlob, "compressed": EncodeCompressed}
	for name, encode := range encoders {
		for _, data := range [][]byte{{}, []byte("x"), noise(1 << 16), bytes.Repeat([]byte("again "), 1<<16)} {
			for _, with := range []*Crypt{nil, key} {
				raw, err := encode(data, with)
				if err != nil {
					t.Fatal(err)
				}
				back, err := DecodeBlob(raw, with)
				if err != nil || !bytes.Equal(back, data) {
					t.Errorf("%s, %d bytes, key %v: %v", name, len(data), with != nil, err)
				}
			}
		}
	}
}

func TestCompressesOnlyWhatBecomesSmaller(t *testing.T) {
	small, _ := EncodeCompressed(bytes.Repeat([]byte("again "), 1000), nil)
	if !bytes.Equal(small[:8], magicCompressed) || len(small) > 500 {
		t.Errorf("%d bytes, magic %v", len(small), small[:8])
	}
	if same, _ := EncodeCompressed(noise(1000), nil); !bytes.Equal(same[:8], magicPlain) {
		t.Errorf("noise has magic %v", same[:8])
	}
}

// A blob put together by hand, as the documentation of the format has it: magic, CRC, zstd.
func TestReadsAnotherProgramsCompression(t *testing.T) {
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderCRC(false))
	if err != nil {
		t.Fatal(err)
	}
	body := encoder.EncodeAll([]byte("from elsewhere"), nil)
	raw := append(bytes.Clone(magicCompressed), 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(raw[8:], crc32.ChecksumIEEE(body))
	raw = append(raw, body...)
	if back, err := DecodeBlob(raw, nil); err != nil || string(back) != "from elsewhere" {
		t.Errorf("%q, %v", back, err)
	}
	digest := (*Crypt)(nil).Digest([]byte("from elsewhere"))
	if err := VerifyUnencrypted(raw, 14, digest); err != nil {
		t.Error(err)
	}
	if err := VerifyUnencrypted(raw, 14, Digest{}); !errors.Is(err, errWrongDigestText) {
		t.Errorf("another digest: %v", err)
	}
}

func TestRefusesDamage(t *testing.T) {
	key := makeKey(t)
	for _, with := range []*Crypt{nil, key} {
		raw, _ := EncodeCompressed(bytes.Repeat([]byte("data "), 100), with)
		for at := range raw {
			bad := bytes.Clone(raw)
			bad[at] ^= 1
			if back, err := DecodeBlob(bad, with); err == nil && at >= 8 {
				t.Errorf("byte %d changed: %q", at, back)
			}
		}
	}
	raw, _ := EncodeBlob([]byte("secret"), key)
	if _, err := DecodeBlob(raw, nil); !errors.Is(err, errMissingKey) {
		t.Errorf("without key: %v", err)
	}
	if _, err := DecodeBlob(raw, makeKey(t)); err == nil {
		t.Error("another key opens it")
	}
}

func makeKeyFile(t *testing.T) (KeyFile, *Crypt) {
	t.Helper()
	file, err := NewKeyFile()
	if err != nil {
		t.Fatal(err)
	}
	key, err := file.Open()
	if err != nil || key.Fingerprint() != file.Fingerprint {
		t.Fatalf("%v", err)
	}
	return file, key
}

func TestKeyFilesAndSignatures(t *testing.T) {
	file, key := makeKeyFile(t)
	other := file
	other.Data = base64.StdEncoding.EncodeToString(noise(32))
	if _, err := other.Open(); err == nil {
		t.Error("a key with another one's fingerprint is taken")
	}
	m := Manifest{Snapshot: Snapshot{Group{"host", "a"}, 1}, Files: []File{{Name: "a.blob", Size: 1}}}
	text, err := m.Text(key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ParseManifest(text, key); err != nil {
		t.Error(err)
	}
	if _, err := ParseManifest(bytes.Replace(text, []byte(`"size": 1`), []byte(`"size": 2`), 1), key); err == nil {
		t.Error("a changed manifest is taken")
	}
}

func TestIndexesComeBack(t *testing.T) {
	digests := []Digest{(*Crypt)(nil).Digest([]byte("a")), (*Crypt)(nil).Digest([]byte("b"))}
	for _, x := range []Index{{Size: 30, Digests: digests, Ends: []int64{10, 30}}, {ChunkSize: 16, Size: 20, Digests: digests}} {
		back, err := DecodeIndex(x.Encode())
		if err != nil || back.Size != x.Size || back.Checksum() != x.Checksum() {
			t.Errorf("%+v: %+v, %v", x, back, err)
		}
	}
}
