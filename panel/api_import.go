package panel

import (
	"bytes"
	"io"
	"mime"
	"net/http"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

type importJSON struct {
	Applied   bool               `json:"applied"`
	Hash      string             `json:"hash"` // names this outcome: sent along, nothing else is applied
	Added     []recordJSON       `json:"added"`
	Changed   []recordChangeJSON `json:"changed"`
	Removed   []recordJSON       `json:"removed"`
	Unchanged int                `json:"unchanged"`
	Faults    []lineFaultJSON    `json:"faults"`
}

type recordChangeJSON struct {
	Before recordJSON `json:"before"`
	After  recordJSON `json:"after"`
}

type lineFaultJSON struct {
	Line     int    `json:"line,omitempty"`
	Sentence string `json:"sentence"`
	Note     bool   `json:"note"` // left out on purpose; nothing is wrong
}

func (p *Panel) apiExport(c echo.Context, actor sites.Actor, _ sites.Account) error {
	return p.writeZone(c, actor)
}

// apiImport takes a zone file. With ?dry_run=1 it tells what would change and changes nothing; with ?hash=, which a dry run has
// told, it changes exactly that or nothing.
func (p *Panel) apiImport(c echo.Context, actor sites.Actor, _ sites.Account) error {
	ctx := c.Request().Context()
	zone, err := p.service.Zone(ctx, actor, zoneParam(c))
	if err != nil {
		return err
	}
	dry := c.QueryParam("dry_run")
	if dry != "" && dry != "0" && dry != "1" {
		return sites.RefuseField(sites.ErrInvalid, "dry_run", "The parameter dry_run can only be 0 or 1.")
	}
	mode := sites.ImportMode(c.QueryParam("mode"))
	if mode == "" {
		mode = sites.ImportMerge
	}
	file, err := zoneFileIn(c)
	if err != nil {
		return err
	}
	hash := c.QueryParam("hash")
	var done sites.Import
	if dry == "1" || hash == "" {
		if done, err = p.service.PlanImport(ctx, actor, zone.Name, mode, bytes.NewReader(file)); err != nil {
			return err
		}
	}
	if dry != "1" {
		if hash == "" {
			hash = done.Hash
		}
		if done, err = p.service.ApplyImport(ctx, actor, zone.Name, mode, bytes.NewReader(file), hash); err != nil {
			return err
		}
	}
	return c.JSON(http.StatusOK, importOut(done, zone.Zone, dry != "1"))
}

// zoneFileIn reads the body.
func zoneFileIn(c echo.Context) ([]byte, error) {
	r := c.Request()
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != "text/dns" && kind != "text/plain" {
		return nil, &outcome{status: http.StatusUnsupportedMediaType, sentence: "Send the zone file as text/dns."}
	}
	if r.ContentLength > maxZoneFile {
		return nil, tooLargeZone()
	}
	return io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, maxZoneFile))
}

func importOut(done sites.Import, zone sites.Zone, applied bool) importJSON {
	zones := map[sites.ZoneID]string{zone.ID: zone.Name}
	out := importJSON{
		Applied: applied, Hash: done.Hash, Added: recordsOut(done.Adds, zones), Removed: recordsOut(done.Removes, zones),
		Changed: make([]recordChangeJSON, len(done.Changes)), Unchanged: done.Unchanged, Faults: make([]lineFaultJSON, len(done.Faults)),
	}
	for i, change := range done.Changes {
		out.Changed[i] = recordChangeJSON{Before: recordOut(change.Before, zones), After: recordOut(change.After, zones)}
	}
	for i, f := range done.Faults {
		out.Faults[i] = lineFaultJSON(f)
	}
	return out
}
