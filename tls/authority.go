package edgetls

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/caddyserver/certmagic"
)

// rootLifetime is how long a root of the internal authority is valid: 10 years.
const rootLifetime = 10 * 365 * 24 * time.Hour

// backdate covers clients whose clocks run late.
const backdate = 5 * time.Minute

// Root is the root certificate, as PEM, that clients need to trust the internal authority whose
// state is below stateDir. The authority is created when there is none.
func Root(stateDir string) ([]byte, error) {
	root, err := authority{stateDir: stateDir}.root()
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: root.Leaf.Raw}), nil
}

// authority is the internal certificate authority: a certmagic.Issuer that signs with a root in the
// state directory. The root is read for every signature, so that nothing is kept in memory.
type authority struct {
	stateDir string
	lifetime time.Duration // of the certificates it signs
}

// IssuerKey names the authority in the storage layout.
func (authority) IssuerKey() string { return IssuerInternal }

// Issue signs the request.
func (a authority) Issue(_ context.Context, csr *x509.CertificateRequest) (*certmagic.IssuedCertificate, error) {
	if err := csr.CheckSignature(); err != nil {
		return nil, fmt.Errorf("checking the certificate request: %w", err)
	}
	root, err := a.root()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	leaf := &x509.Certificate{
		SerialNumber: serial(),
		DNSNames:     csr.DNSNames,
		IPAddresses:  csr.IPAddresses,
		NotBefore:    now.Add(-min(backdate, a.lifetime/10)),
		NotAfter:     now.Add(a.lifetime),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, leaf, root.Leaf, csr.PublicKey, root.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("signing with the internal authority: %w", err)
	}
	return &certmagic.IssuedCertificate{Certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})}, nil
}

// signed tells whether leaf comes from the present root. A root that cannot be read does not make
// good certificates bad.
func (a authority) signed(leaf *x509.Certificate) bool {
	root, err := a.root()
	return err != nil || leaf.CheckSignatureFrom(root.Leaf) == nil
}

// root reads the root with its key, and creates it when there is none.
func (a authority) root() (*tls.Certificate, error) {
	path := filepath.Join(a.stateDir, "ca", "root.pem")
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		data, err = createRoot(path)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the root of the internal authority: %w", err)
	}
	root, err := tls.X509KeyPair(data, data)
	if err != nil {
		return nil, fmt.Errorf("the root of the internal authority in %s is unusable: %w; remove the file to have a new one made, which every client must then trust", path, err)
	}
	return &root, nil
}

// createRoot writes key and certificate as one file, so that they cannot come apart. Of two
// processes that create at the same time the first one wins, and both return its root.
func createRoot(path string) ([]byte, error) {
	data, err := newRoot()
	if err != nil {
		return nil, err
	}
	temp, err := writeTemp(path, data)
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.Remove(temp) }()
	if err := os.Link(temp, path); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	syncDir(filepath.Dir(path))
	return os.ReadFile(path)
}

func newRoot() ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	number, now := serial(), time.Now()
	root := &x509.Certificate{
		SerialNumber: number,
		// The name tells apart the roots of several edges in a client's list.
		Subject:               pkix.Name{CommonName: fmt.Sprintf("bluegreen internal CA %.8x", number.Bytes())},
		NotBefore:             now.Add(-backdate),
		NotAfter:              now.Add(rootLifetime),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return bytes.Join([][]byte{
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
	}, nil), nil
}

// serial is a random number of 127 bits: positive and within the 20 octets of RFC 5280 §4.1.2.2.
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}
