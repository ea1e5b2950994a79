package panel

import (
	"errors"
	"io"
	"net/http"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

const (
	maxZoneFile = 4 << 20  // bytes of a zone file, some 80,000 records
	importFrame = 64 << 10 // what the form may take beside it
)

func (p *Panel) importPage(c echo.Context, who visitor) error {
	zone, err := p.service.Zone(c.Request().Context(), who.actor, zoneParam(c))
	if err != nil {
		return err
	}
	return p.renderImport(c, http.StatusOK, templates.ImportView{Zone: zone.Name})
}

func (p *Panel) renderImport(c echo.Context, status int, v templates.ImportView) error {
	v.Shell = p.shell(c, "Import into "+v.Zone, templates.SectionZones)
	return p.render(c, status, templates.Import(v))
}

// planImport shows what the file would change; the file travels in the page, so that nothing is kept here.
func (p *Panel) planImport(c echo.Context, who visitor) error {
	view, err := p.uploadedImport(c, who)
	if err == nil {
		err = p.plan(c, who, &view)
	}
	if err != nil {
		return p.refuseImport(c, view, err)
	}
	return p.renderImport(c, http.StatusOK, view)
}

// refuseImport shows the file again, with what is wrong with it.
func (p *Panel) refuseImport(c echo.Context, view templates.ImportView, err error) error {
	wrong, err := faults(err, "text")
	if err != nil {
		return err
	}
	view.Fault = wrong["text"]
	return p.renderImport(c, http.StatusUnprocessableEntity, view)
}

// plan fills the view with what the import would do.
func (p *Panel) plan(c echo.Context, who visitor, view *templates.ImportView) error {
	plan, err := p.service.PlanImport(c.Request().Context(), who.actor, view.Zone, sites.ImportMode(view.Mode), strings.NewReader(view.Text))
	if err != nil {
		return err
	}
	view.Planned, view.Hash, view.Kept = true, plan.Hash, plan.Unchanged
	view.Added, view.Removed = recordRows(plan.Adds), recordRows(plan.Removes)
	for _, change := range plan.Changes {
		view.Changed = append(view.Changed, templates.RecordChange{Before: recordRow(change.Before), After: recordRow(change.After)})
	}
	for _, f := range plan.Faults {
		view.Lines = append(view.Lines, templates.LineFault{Line: f.Line, Sentence: f.Sentence, Note: f.Note})
	}
	return nil
}

// uploadedImport reads the form: the zone file, which is a file or a text, and what to do with it.
func (p *Panel) uploadedImport(c echo.Context, who visitor) (view templates.ImportView, err error) {
	zone, err := p.service.Zone(c.Request().Context(), who.actor, zoneParam(c))
	if err != nil {
		return view, err
	}
	view.Zone = zone.Name
	r := c.Request()
	// The text may be there beside the file, and browsers send two bytes for the end of a line.
	r.Body = http.MaxBytesReader(c.Response(), r.Body, 3*maxZoneFile+importFrame)
	if err := r.ParseMultipartForm(maxZoneFile); err != nil {
		if tooMuch := (*http.MaxBytesError)(nil); errors.As(err, &tooMuch) {
			return view, tooLargeZone()
		}
		return view, sites.RefuseField(sites.ErrInvalid, "text", "The form could not be read.")
	}
	defer func() { _ = r.MultipartForm.RemoveAll() }() // what stays in the temporary directory is removed with it
	view.Mode, view.Hash = r.PostFormValue("mode"), r.PostFormValue("hash")
	text := r.PostFormValue("text")
	if file, _, err := r.FormFile("file"); err == nil {
		content, err := io.ReadAll(file)
		if err != nil {
			return view, err
		}
		if len(content) > 0 {
			text = string(content)
		}
	}
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\r\n", "\n"), "\uFFFD")
	switch {
	case len(text) > maxZoneFile:
		return view, tooLargeZone()
	case strings.TrimSpace(text) == "":
		return view, sites.RefuseField(sites.ErrInvalid, "text", "Choose a zone file, or paste its text.")
	}
	view.Text = text
	return view, nil
}

func tooLargeZone() error {
	return sites.RefuseField(sites.ErrTooLarge, "text", "The zone file is larger than %d MB. Import it in parts.", maxZoneFile>>20)
}

// applyImport carries out what the page before has shown. If it would be something else by now, that is shown first.
func (p *Panel) applyImport(c echo.Context, who visitor) error {
	view, err := p.uploadedImport(c, who)
	if err != nil {
		return p.refuseImport(c, view, err)
	}
	done, err := p.service.ApplyImport(c.Request().Context(), who.actor, view.Zone, sites.ImportMode(view.Mode), strings.NewReader(view.Text), view.Hash)
	if errors.Is(err, sites.ErrConflict) {
		view.Again = explain(err).sentence
		if err := p.plan(c, who, &view); err != nil {
			return p.refuseImport(c, view, err)
		}
		return p.renderImport(c, http.StatusConflict, view)
	}
	if err != nil {
		return p.refuseImport(c, view, err)
	}
	return p.done(c, templates.ZoneRecordsPath(view.Zone), importedWords(done))
}

func importedWords(done sites.Import) string {
	return "The zone file is imported: " + templates.Count(len(done.Adds), "record") + " added, " +
		templates.Count(len(done.Changes), "record") + " changed, " + templates.Count(len(done.Removes), "record") + " removed."
}

// exportZone offers the zone's records as a file.
func (p *Panel) exportZone(c echo.Context, who visitor) error {
	return p.writeZone(c, who.actor)
}

func (p *Panel) writeZone(c echo.Context, actor sites.Actor) error {
	zone, err := p.service.Zone(c.Request().Context(), actor, zoneParam(c))
	if err != nil {
		return err
	}
	var file strings.Builder // whole before the status is written
	if err := p.service.ExportZone(c.Request().Context(), actor, zone.Name, &file); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Set("Content-Disposition", `attachment; filename="`+zone.Name+`.zone"`)
	return c.Blob(http.StatusOK, "text/dns; charset=utf-8", []byte(file.String())) // RFC 4027
}
