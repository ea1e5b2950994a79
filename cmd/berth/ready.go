package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/alecthomas/kong"
)

// readyCommand is the health check of an image that has no other program.
type readyCommand struct {
	Config    kong.ConfigFlag `placeholder:"FILE" help:"TOML file of the service."`
	Zone      string          `required:"" placeholder:"DOMAIN" help:"The service's zone."`
	PanelHost string          `placeholder:"HOST" help:"The service's panel host. Default: the zone itself."`
	HTTPSAddr []string        `name:"https-addr" default:":443" placeholder:"ADDR" help:"The service's addresses for HTTPS (${default}); the first one is asked."`
}

// readyWait is less than what engines give a health check.
const readyWait = 5 * time.Second

func (r readyCommand) Run(ctx context.Context, c console) error {
	host := hostName(r.PanelHost)
	if host == "" {
		host = hostName(r.Zone)
	}
	client := &http.Client{Timeout: readyWait, Transport: &http.Transport{
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, r.HTTPSAddr[0]) // without a host that is this machine
		},
		// Whether browsers trust the certificate is another question, and one has to come first.
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+host+"/readyz", nil)
	if err != nil {
		return fmt.Errorf("ask whether berth is ready: %w", err)
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("berth does not answer: %w", err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("berth is not ready: it answers with status %d", resp.StatusCode)
	}
	_, err = fmt.Fprintln(c.out, "ready")
	return err
}
