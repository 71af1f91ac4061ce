package client

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"docker-node/lab/pbs/internal/cli"
	"docker-node/lab/pbs/internal/format"
)

// CryptoOptions of commands that read or write encrypted data.
var CryptoOptions = []cli.Option{
	{Name: "keyfile", Help: "Path to encryption key. All data will be encrypted using this key."},
	{Name: "keyfd", Kind: cli.Int, Help: "Pass an encryption key via an already opened file descriptor."},
	{Name: "crypt-mode", Choices: []string{"none", "encrypt", "sign-only"}, Help: "Defines whether data is encrypted (using an AEAD cipher), only signed, or neither."},
}

// DefaultKey is where a key is looked for if none is named.
func DefaultKey() string {
	base, _ := os.UserConfigDir()
	return filepath.Join(base, "proxmox-backup", "encryption-key.json")
}

// crypto is the key to use, and how. Without a mode, a key means encryption.
func crypto(p cli.Params) (key *format.Crypt, mode string, err error) {
	text, source, err := keyText(p)
	if err != nil {
		return nil, "", err
	}
	mode = p.Get("crypt-mode")
	switch {
	case mode == "none" && (p.Has("keyfile") || p.Has("keyfd")):
		return nil, "", errors.New("--keyfile/--keyfd and --crypt-mode=none are mutually exclusive")
	case mode == "none" || text == nil && mode == "":
		return nil, "none", nil
	case text == nil:
		return nil, "", errors.New("--crypt-mode without --keyfile and no default key file available")
	case mode == "":
		mode = "encrypt"
	}
	if key, err = openKey(text); err != nil {
		return nil, "", fmt.Errorf("failed to load decryption key from %s: %w", source, err)
	}
	Info("Using encryption key from %s..", source)
	return key, mode, nil
}

func openKey(text []byte) (*format.Crypt, error) {
	file, err := format.ParseKeyFile(text)
	if err != nil {
		return nil, err
	}
	return file.Open()
}

func keyText(p cli.Params) (text []byte, source string, err error) {
	switch {
	case p.Has("keyfile") && p.Has("keyfd"):
		return nil, "", errors.New("--keyfile and --keyfd are mutually exclusive")
	case p.Has("keyfile"):
		text, err = os.ReadFile(p.Get("keyfile"))
		if err != nil {
			err = fmt.Errorf("unable to read %q - %w", p.Get("keyfile"), errors.Unwrap(err))
		}
		return text, "'" + p.Get("keyfile") + "'", err
	case p.Has("keyfd"):
		text, err = io.ReadAll(os.NewFile(uintptr(p.Int("keyfd", 0)), "keyfd"))
		if err != nil {
			err = fmt.Errorf("error reading encryption key from fd %s: %w", p.Get("keyfd"), err)
		}
		return text, "file descriptor", err
	}
	text, err = os.ReadFile(DefaultKey())
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", nil
	}
	return text, "default location", err
}

// KeyCreate makes a new key file.
func KeyCreate(p cli.Params) error {
	path := p.Get("path")
	if path == "" {
		path = DefaultKey()
		Info("creating default key at: %q", path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
	}
	if p.Get("kdf") != "none" {
		return errors.New("unable to read passphrase - no tty (this " + format.StandIn + " makes keys by --kdf none only)")
	}
	if p.Has("hint") {
		return errors.New("password hint not allowed for Kdf::None")
	}
	key, err := format.NewKeyFile()
	if err != nil {
		return err
	}
	return key.Store(path)
}

// KeyShow tells what a key file is, not the key.
func KeyShow(p cli.Params) error {
	path := p.Get("path")
	if path == "" {
		path = DefaultKey()
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	key, err := format.ParseKeyFile(text)
	if err != nil {
		return err
	}
	opened, err := key.Open()
	if err != nil {
		return err
	}
	key.Fingerprint = opened.Fingerprint()
	info := map[string]any{"path": fmt.Sprintf("%q", path), "kdf": "none", "created": epoch(key.Created), "modified": epoch(key.Modified), "fingerprint": key.Fingerprint}
	return cli.Print(os.Stdout, p, info, func() error {
		rows := [][]string{{"path", info["path"].(string)}, {"kdf", "none"}, {"created", key.Created}, {"modified", key.Modified}, {"fingerprint", format.ShortFingerprint(key.Fingerprint)}}
		return cli.Table(os.Stdout, []string{"Name", "Value"}, rows)
	})
}

// PaperFormat is how a key is printed. The default is html, as in the program this one stands for.
var PaperFormat = cli.Option{Name: "output-format", Choices: []string{"text", "html"}, Help: "Text or HTML; only text here."}

// KeyPaper prints a key file so that it can be typed in again. The QR code is left out.
func KeyPaper(p cli.Params) error {
	if p.Get("output-format") != "text" {
		return errors.New("this " + format.StandIn + " prints paper keys by --output-format text only")
	}
	text, err := os.ReadFile(cmp.Or(p.Get("path"), DefaultKey()))
	if err != nil {
		return err
	}
	if _, err := format.ParseKeyFile(text); err != nil {
		return err
	}
	if p.Has("subject") {
		fmt.Printf("Subject: %s\n\n", p.Get("subject"))
	}
	_, err = fmt.Printf("-----BEGIN PROXMOX BACKUP KEY-----\n%s\n-----END PROXMOX BACKUP KEY-----\n", bytes.TrimSpace(text))
	return err
}
