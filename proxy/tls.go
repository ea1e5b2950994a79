package proxy

import (
	"crypto/tls"
	"fmt"
	"net"
)

// secureTLS is for HTTP/1.1 and 2.
func (p *Proxy) secureTLS() *tls.Config {
	// A CA that validates by TLS-ALPN-01 wants the handshake alone; see serveSecure.
	config := p.tlsConfig("h2", "http/1.1", "acme-tls/1")
	config.MinVersion = tls.VersionTLS12
	config.CipherSuites = []uint16{ // of TLS 1.2: forward secrecy and authenticated encryption only
		tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
		tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
		tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
	}
	return config
}

// quicTLS is for HTTP/3.
func (p *Proxy) quicTLS() *tls.Config { return p.tlsConfig("h3") }

func (p *Proxy) tlsConfig(protocols ...string) *tls.Config {
	return p.tickets.follow(&tls.Config{GetCertificate: p.certificate, NextProtos: protocols, MinVersion: tls.VersionTLS13})
}

// offerOf is the Alt-Svc field (RFC 7838) that tells clients of HTTP/3; nil where there is none.
func offerOf(sockets []net.PacketConn) []string {
	if len(sockets) == 0 {
		return nil
	}
	_, port, err := net.SplitHostPort(sockets[0].LocalAddr().String())
	if err != nil {
		return nil
	}
	return []string{fmt.Sprintf(`h3=":%s"; ma=86400`, port)}
}
