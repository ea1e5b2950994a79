package templates

import (
	"net/url"
	"strconv"
)

// The paths of zones, DNS records and what belongs to them.
const (
	PathZones         = "/zones"          // GET; POST: add
	PathTSIGKeys      = "/tsig-keys"      // GET; POST: add
	PathQueries       = "/queries"        // GET: the live query log; query parameter name
	PathQueriesFollow = "/queries/follow" // GET: streams the queries for query parameter name as plain text
)

// SiteRecordsPath lists a site's DNS records (GET) and takes new ones (POST).
func SiteRecordsPath(name string) string { return SitePath(name) + "/records" }

// SiteRecordPath is the form of one record of a site (GET) and takes it (POST).
func SiteRecordPath(name string, id int64) string {
	return SiteRecordsPath(name) + "/" + strconv.FormatInt(id, 10)
}

// ZonePath is the page of a zone.
func ZonePath(zone string) string { return PathZones + "/" + url.PathEscape(zone) }

// ZoneActionPath is where what is done to a zone is posted to: check, sign, roll, ds, peers, remove-peer, primaries, delete.
func ZoneActionPath(zone, action string) string { return ZonePath(zone) + "/" + action }

// ZoneRecordsPath lists a zone's records (GET) and takes new ones (POST).
func ZoneRecordsPath(zone string) string { return ZonePath(zone) + "/records" }

// ZoneRecordPath is the form of one record of a zone (GET) and takes it (POST).
func ZoneRecordPath(zone string, id int64) string {
	return ZoneRecordsPath(zone) + "/" + strconv.FormatInt(id, 10)
}

// ImportPath asks for a zone file (GET) and shows what it would change (POST).
func ImportPath(zone string) string { return ZonePath(zone) + "/import" }

// ApplyImportPath is where a zone file is posted to that is to be applied.
func ApplyImportPath(zone string) string { return ImportPath(zone) + "/apply" }

// ExportPath is the zone as a zone file.
func ExportPath(zone string) string { return ZonePath(zone) + "/export" }

// DeleteTSIGKeyPath is where the removal of a TSIG key is posted to.
func DeleteTSIGKeyPath(name string) string {
	return PathTSIGKeys + "/" + url.PathEscape(name) + "/delete"
}

// recordPath is the form of the record.
func (v EditRecordView) recordPath() string {
	if v.Site != "" {
		return SiteRecordPath(v.Site, v.Record.ID)
	}
	return ZoneRecordPath(v.Zone, v.Record.ID)
}

func (v EditRecordView) listPath() string {
	if v.Site != "" {
		return SiteRecordsPath(v.Site)
	}
	return ZoneRecordsPath(v.Zone)
}
