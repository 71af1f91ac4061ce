package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"docker-node/lab/pbs/internal/format"
)

func randomBytes(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data) // never fails
	return data
}

// certificate of the server, made once.
func certificate(state string) (tls.Certificate, error) {
	certFile, keyFile := filepath.Join(state, "proxy.pem"), filepath.Join(state, "proxy.key")
	if pair, err := tls.LoadX509KeyPair(certFile, keyFile); err == nil {
		return pair, nil
	}
	keyDER, der, err := newCertificate()
	if err == nil {
		err = errors.Join(
			os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o600),
			os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	}
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.LoadX509KeyPair(certFile, keyFile)
}

// newCertificate makes a key and its own certificate, both in DER.
func newCertificate() (keyDER, der []byte, err error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template := x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(randomBytes(16)), Subject: pkix.Name{CommonName: "pbs01", Organization: []string{format.StandIn}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0), DNSNames: []string{"pbs01"},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if der, err = x509.CreateCertificate(rand.Reader, &template, &template, &key.PublicKey, key); err != nil {
		return nil, nil, err
	}
	keyDER, err = x509.MarshalPKCS8PrivateKey(key)
	return keyDER, der, err
}

// Ready is what the ready file holds.
type Ready struct {
	PID         int    `json:"pid"`
	Port        int    `json:"port"`
	Fingerprint string `json:"fingerprint"`
	Program     string `json:"program"`
}

// lockState lets one server use a state directory, so that cleaning never hits another's work.
func lockState(state string) (*os.File, error) {
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(filepath.Join(state, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.New("another server uses " + state)
	}
	return file, nil
}

// Run serves until the process ends.
func Run(path string) error {
	log.SetFlags(log.LstdFlags | log.LUTC)
	log.Printf("pbs-server: %s", format.StandIn)
	settings, err := LoadSettings(path)
	if err != nil {
		return err
	}
	if settings.Listen == "" || !filepath.IsAbs(settings.State) {
		return errors.New(path + ": listen and state (an absolute path) are required")
	}
	lock, err := lockState(settings.State)
	if err != nil {
		return err
	}
	defer lock.Close()
	s, err := New(path, log.Printf)
	if err != nil {
		return err
	}
	return s.listen(settings)
}

// listen answers requests until the process ends.
func (s *Server) listen(settings *Settings) error {
	cert, err := certificate(settings.State)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", settings.Listen)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(cert.Certificate[0])
	ready := Ready{os.Getpid(), listener.Addr().(*net.TCPAddr).Port, format.Colons(sum[:]), format.StandIn}
	if err := ready.write(settings.Ready); err != nil {
		return err
	}
	log.Printf("listening on %s, fingerprint %s", listener.Addr(), ready.Fingerprint)
	config := &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, MinVersion: tls.VersionTLS12}
	quiet := log.New(discard{}, "", 0) // handshakes that clients give up, as on a wrong fingerprint
	return (&http.Server{Handler: s.Handler(), ErrorLog: quiet}).Serve(tolerantListener{tls.NewListener(listener, config)})
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func (r Ready) write(path string) error {
	if path == "" {
		return nil
	}
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	if err := os.WriteFile(path+".new", append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}
