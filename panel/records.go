package panel

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// recordHome is where a page of records lies: at a site, or at a zone.
type recordHome struct {
	site, zone string // one is empty
	under      string // the domain that names are completed with
	section    templates.Section
}

func (h recordHome) list() string {
	if h.site != "" {
		return templates.SiteRecordsPath(h.site)
	}
	return templates.ZoneRecordsPath(h.zone)
}

// complete returns the absolute name that a person means: what ends with the domain, or with a dot, is absolute already.
func (h recordHome) complete(typed string) string {
	name := strings.ToLower(strings.TrimSpace(typed))
	switch {
	case name == "" || name == "@":
		return h.under
	case strings.HasSuffix(name, "."), name == h.under, strings.HasSuffix(name, "."+h.under):
		return strings.TrimSuffix(name, ".")
	}
	return name + "." + h.under
}

// holds reports whether a record belongs to the page.
func (h recordHome) holds(name string) bool {
	return name == h.under || strings.HasSuffix(name, "."+h.under)
}

// siteHome finds the site that the path names; another's is like none.
func (p *Panel) siteHome(c echo.Context, who visitor) (recordHome, error) {
	site, err := p.service.Site(c.Request().Context(), who.actor, siteParam(c))
	return recordHome{site: site.Name, under: p.ownHost(site), section: siteSection(who, site)}, err
}

func (p *Panel) zoneHome(c echo.Context, who visitor) (recordHome, error) {
	zone, err := p.service.Zone(c.Request().Context(), who.actor, zoneParam(c))
	return recordHome{zone: zone.Name, under: zone.Name, section: templates.SectionZones}, err
}

// finder finds the home that a path names.
type finder func(echo.Context, visitor) (recordHome, error)

func (p *Panel) siteRecordsPage(c echo.Context, who visitor) error {
	home, err := p.siteHome(c, who)
	if err != nil {
		return err
	}
	return p.renderRecords(c, who, http.StatusOK, home, emptyRecord(home))
}

func emptyRecord(h recordHome) templates.RecordForm {
	return templates.RecordForm{Under: h.under, Type: "A", TTL: proposedTTL}
}

// renderRecords shows the list with the form for a new record.
func (p *Panel) renderRecords(c echo.Context, who visitor, status int, home recordHome, form templates.RecordForm) error {
	if home.zone != "" {
		return p.renderZoneRecords(c, who, status, home, form)
	}
	list, err := p.recordList(c, who, sites.RecordFilter{Site: home.site})
	if err != nil {
		return err
	}
	view := templates.SiteRecordsView{
		RecordList: list, Site: home.site, Host: home.under, Signed: p.cfg.DNS.ZoneStatus(p.cfg.Zone).Signed, Form: form,
	}
	for _, addr := range p.cfg.Addresses {
		view.Addresses = append(view.Addresses, addr.String())
	}
	view.Shell = p.shell(c, "DNS records of "+home.site, home.section)
	return p.render(c, status, templates.SiteRecords(view))
}

func recordRows(records []sites.Record) []templates.RecordRow {
	rows := make([]templates.RecordRow, len(records))
	for i, r := range records {
		rows[i] = recordRow(r)
	}
	return rows
}

func recordRow(r sites.Record) templates.RecordRow {
	return templates.RecordRow{ID: r.ID, Name: r.Name, Type: r.Type, TTL: int64(r.TTL), Data: r.Data, Site: r.SiteName}
}

func (p *Panel) createRecord(find finder) pageHandler {
	return func(c echo.Context, who visitor) error {
		home, err := find(c, who)
		if err != nil {
			return err
		}
		field, err := form(c)
		if err != nil {
			return err
		}
		typed := templates.RecordForm{Under: home.under, Name: strings.TrimSpace(field("name")), Type: field("type"), TTL: strings.TrimSpace(field("ttl")), Data: field("data")}
		record, err := p.addRecord(c, who, home, typed)
		if err != nil {
			if typed.Faults, err = faults(err, "data", "name", "type", "ttl"); err != nil {
				return err
			}
			return p.renderRecords(c, who, http.StatusUnprocessableEntity, home, typed)
		}
		return p.done(c, home.list(), noted("The "+record.Type+" record of "+record.Name+" is added.", record.Note))
	}
}

func noted(text, note string) string { return strings.TrimSpace(text + " " + note) }

func (p *Panel) addRecord(c echo.Context, who visitor, home recordHome, typed templates.RecordForm) (r sites.RecordResult, err error) {
	ttl, err := readTTL(typed.TTL)
	if err != nil {
		return r, err
	}
	name := home.complete(typed.Name)
	if !home.holds(name) {
		return r, sites.RefuseField(sites.ErrInvalid, "name", "%s does not lie below %s.", name, home.under)
	}
	in := sites.NewRecord{Name: name, Type: typed.Type, TTL: ttl, Data: typed.Data}
	return p.service.AddRecord(c.Request().Context(), who.actor, in)
}

// proposedTTL is what the form has for a new record.
const proposedTTL = "300"

// readTTL reads seconds; nothing typed is 0: the default of a new record, and no change of another one.
func readTTL(text string) (uint32, error) {
	if text == "" {
		return 0, nil
	}
	n, err := wholeNumber(text, math.MaxUint32)
	if err != nil || n < 1 {
		return 0, sites.RefuseField(sites.ErrInvalid, "ttl", "Give a whole number of seconds; 3600 is an hour.")
	}
	return uint32(n), nil
}

// findRecord returns the record that the path names, if it belongs to the page.
func (p *Panel) findRecord(c echo.Context, who visitor, find finder) (home recordHome, r sites.Record, err error) {
	if home, err = find(c, who); err != nil {
		return home, r, err
	}
	id, err := recordParam(c)
	if err != nil {
		return home, r, err
	}
	if r, err = p.service.RecordByID(c.Request().Context(), who.actor, id); err == nil && !home.holds(r.Name) {
		err = echo.ErrNotFound
	}
	return home, r, err
}

func recordParam(c echo.Context) (int64, error) {
	id, err := strconv.ParseInt(c.Param("id"), 10, 64)
	if err != nil || id < 1 {
		return 0, echo.ErrNotFound
	}
	return id, nil
}

func (p *Panel) recordPage(find finder) pageHandler {
	return func(c echo.Context, who visitor) error {
		home, record, err := p.findRecord(c, who, find)
		if err != nil {
			return err
		}
		form := templates.RecordForm{Under: home.under, Type: record.Type, TTL: strconv.FormatUint(uint64(record.TTL), 10), Data: record.Data}
		return p.renderRecord(c, http.StatusOK, home, record, form)
	}
}

func (p *Panel) renderRecord(c echo.Context, status int, home recordHome, r sites.Record, form templates.RecordForm) error {
	return p.render(c, status, templates.EditRecord(templates.EditRecordView{
		Shell: p.shell(c, r.Type+" of "+r.Name, home.section), Site: home.site, Zone: home.zone, Record: recordRow(r), Form: form,
	}))
}

func (p *Panel) updateRecord(find finder) pageHandler {
	return func(c echo.Context, who visitor) error {
		home, record, err := p.findRecord(c, who, find)
		if err != nil {
			return err
		}
		field, err := form(c)
		if err != nil {
			return err
		}
		typed := templates.RecordForm{Under: home.under, Type: record.Type, TTL: strings.TrimSpace(field("ttl")), Data: field("data")}
		status := http.StatusUnprocessableEntity
		var after sites.RecordResult
		if shown := recordRow(record).State(); field("was") == shown {
			after, err = p.changeRecord(c, who, record.ID, typed)
		} else {
			status = http.StatusConflict
			err = sites.RefuseField(sites.ErrConflict, "data", "The record has been changed meanwhile: it is %s now. Save once more to replace it.", shown)
		}
		if err != nil {
			if typed.Faults, err = faults(err, "data", "ttl"); err != nil {
				return err
			}
			return p.renderRecord(c, status, home, record, typed)
		}
		return p.done(c, home.list(), noted("The "+after.Type+" record of "+after.Name+" is changed.", after.Note))
	}
}

func (p *Panel) changeRecord(c echo.Context, who visitor, id int64, typed templates.RecordForm) (sites.RecordResult, error) {
	ttl, err := readTTL(typed.TTL)
	if err != nil {
		return sites.RecordResult{}, err
	}
	change := sites.RecordUpdate{Data: &typed.Data}
	if ttl != 0 {
		change.TTL = &ttl
	}
	return p.service.UpdateRecord(c.Request().Context(), who.actor, id, change)
}

func (p *Panel) deleteRecord(find finder) pageHandler {
	return func(c echo.Context, who visitor) error {
		home, record, err := p.findRecord(c, who, find)
		if err != nil {
			return err
		}
		if err := p.service.DeleteRecord(c.Request().Context(), who.actor, record.ID); err != nil {
			return p.declined(c, home.list(), err)
		}
		return p.done(c, home.list(), "The "+record.Type+" record of "+record.Name+" is deleted.")
	}
}
