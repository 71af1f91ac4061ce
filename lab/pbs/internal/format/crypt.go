package format

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// Digest of a chunk, or checksum of a file.
type Digest [32]byte

func (d Digest) String() string { return hex.EncodeToString(d[:]) }

// ParseDigest reads 64 hexadecimal digits.
func ParseDigest(text string) (d Digest, err error) {
	if !DigestRegexp.MatchString(text) {
		return d, fmt.Errorf("'%s' is no digest", text)
	}
	_, err = hex.Decode(d[:], []byte(text))
	return d, err
}

// Crypt is a secret key with what is derived from it. A nil *Crypt means no encryption.
type Crypt struct {
	aead  cipher.AEAD
	idKey []byte
}

// NewCrypt derives the second key, which digests and signatures are made with.
func NewCrypt(key []byte) (*Crypt, error) {
	if len(key) != 32 {
		return nil, fmt.Errorf("got strange key length (%d != 32)", len(key))
	}
	idKey, err := pbkdf2.Key(sha256.New, string(key), []byte("_id_key"), 10, 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithNonceSize(block, 16)
	return &Crypt{aead, idKey}, err
}

// Digest of a chunk's plain data; keyed, so that equal data has another digest under another key.
func (c *Crypt) Digest(data []byte) (d Digest) {
	hash := sha256.New()
	hash.Write(data)
	if c != nil {
		hash.Write(c.idKey)
	}
	hash.Sum(d[:0])
	return d
}

// Sign makes the HMAC of a manifest.
func (c *Crypt) Sign(data []byte) string {
	mac := hmac.New(sha256.New, c.idKey)
	mac.Write(data)
	return hex.EncodeToString(mac.Sum(nil))
}

// Fingerprint names the key without giving it away: 32 pairs of hexadecimal digits.
func (c *Crypt) Fingerprint() string {
	input := sha256.Sum256([]byte("Proxmox Backup Encryption Key Fingerprint"))
	d := c.Digest(input[:])
	return Colons(d[:])
}

// Colons writes bytes as aa:bb:cc.
func Colons(data []byte) string {
	pairs := make([]string, len(data))
	for i, b := range data {
		pairs[i] = hex.EncodeToString([]byte{b})
	}
	return strings.Join(pairs, ":")
}

// ShortFingerprint is the form shown to people, the first eight bytes.
func ShortFingerprint(fingerprint string) string {
	if len(fingerprint) > 23 {
		return fingerprint[:23]
	}
	return fingerprint
}

// KeyFile is the documented content of a key file.
type KeyFile struct {
	Kdf         json.RawMessage `json:"kdf"`
	Created     string          `json:"created"`
	Modified    string          `json:"modified"`
	Data        string          `json:"data"`
	Fingerprint string          `json:"fingerprint,omitempty"`
	Hint        string          `json:"hint,omitempty"`
}

// NewKeyFile makes a key without a passphrase.
func NewKeyFile() (KeyFile, error) {
	key := make([]byte, 32)
	if _, err := rand.Read(key); err != nil {
		return KeyFile{}, err
	}
	crypt, err := NewCrypt(key)
	if err != nil {
		return KeyFile{}, err
	}
	now := time.Now().UTC().Format(time.RFC3339)
	data := base64.StdEncoding.EncodeToString(key)
	return KeyFile{Kdf: json.RawMessage("null"), Created: now, Modified: now, Data: data, Fingerprint: crypt.Fingerprint()}, nil
}

// Store writes a new file for its owner alone.
func (k KeyFile) Store(path string) error {
	text, err := json.Marshal(k)
	if err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("Unable to store key file %q - %w", path, err)
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

// ParseKeyFile reads a key file's text.
func ParseKeyFile(text []byte) (KeyFile, error) {
	var k KeyFile
	if err := json.Unmarshal(text, &k); err != nil {
		return k, fmt.Errorf("unable to parse key file - %v", err)
	}
	return k, nil
}

// Open gives the key in the file, checked against the fingerprint beside it.
func (k KeyFile) Open() (*Crypt, error) {
	if kdf := bytes.TrimSpace(k.Kdf); len(kdf) > 0 && string(kdf) != "null" {
		return nil, errors.New("the key has a passphrase, which this " + StandIn + " cannot read")
	}
	raw, err := base64.StdEncoding.DecodeString(k.Data)
	if err != nil {
		return nil, fmt.Errorf("unable to parse key file - %v", err)
	}
	crypt, err := NewCrypt(raw)
	if err != nil {
		return nil, err
	}
	if k.Fingerprint != "" && k.Fingerprint != crypt.Fingerprint() {
		return nil, fmt.Errorf("KeyConfig contains wrong fingerprint %s, contained key has fingerprint %s",
			ShortFingerprint(k.Fingerprint), ShortFingerprint(crypt.Fingerprint()))
	}
	return crypt, nil
}
