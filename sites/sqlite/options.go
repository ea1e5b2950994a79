package sqlite

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"net/netip"

	"berth/sites"
)

// options is the column of a site's options: a JSON object that lacks what is as it comes.
type options struct{ *sites.Options }

// optionsJSON is its form; the names are part of the schema.
type optionsJSON struct {
	Canonical         string              `json:"canonical,omitempty"`
	TrailingSlash     sites.TrailingSlash `json:"trailing_slash,omitempty"`
	HSTS              sites.HSTS          `json:"hsts,omitempty"`
	User              string              `json:"user,omitempty"`
	PasswordHash      string              `json:"password_hash,omitempty"`
	Allow             []netip.Prefix      `json:"allow,omitempty"`
	Maintenance       bool                `json:"maintenance,omitempty"`
	DownPage          string              `json:"down_page,omitempty"`
	MaintenancePage   string              `json:"maintenance_page,omitempty"`
	RequestsPerSecond int                 `json:"requests_per_second,omitempty"`
	Connections       int                 `json:"connections,omitempty"`
	BodyMB            int                 `json:"body_mb,omitempty"`
}

// Value is driver.Valuer's.
func (o options) Value() (driver.Value, error) {
	column, err := json.Marshal(optionsJSON{
		Canonical: o.Canonical, TrailingSlash: o.TrailingSlash, HSTS: o.HSTS,
		User: o.Login.User, PasswordHash: o.Login.PasswordHash, Allow: o.Allow, Maintenance: o.Maintenance,
		DownPage: o.Pages.Down, MaintenancePage: o.Pages.Maintenance,
		RequestsPerSecond: o.Bounds.RequestsPerSecond, Connections: o.Bounds.Connections, BodyMB: o.Bounds.BodyMB,
	})
	return string(column), err
}

// Scan is sql.Scanner's.
func (o options) Scan(src any) error {
	column, ok := src.(string)
	if !ok {
		return fmt.Errorf("options of a site: %T is no text", src)
	}
	if column == "{}" {
		*o.Options = sites.Options{}
		return nil // most sites have none
	}
	var in optionsJSON
	if err := json.Unmarshal([]byte(column), &in); err != nil {
		return fmt.Errorf("options of a site: %w", err)
	}
	*o.Options = sites.Options{
		Canonical: in.Canonical, TrailingSlash: in.TrailingSlash, HSTS: in.HSTS,
		Login: sites.Login{User: in.User, PasswordHash: in.PasswordHash}, Allow: in.Allow, Maintenance: in.Maintenance,
		Pages:  sites.ErrorPages{Down: in.DownPage, Maintenance: in.MaintenancePage},
		Bounds: sites.Bounds{RequestsPerSecond: in.RequestsPerSecond, Connections: in.Connections, BodyMB: in.BodyMB},
	}
	return nil
}
