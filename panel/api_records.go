package panel

import (
	"net/http"
	"net/url"
	"strconv"

	"berth/sites"

	"github.com/labstack/echo/v4"
)

// maxRecords bounds one answer of the API; the rest is behind the link to the next one.
const maxRecords = 1000

type recordJSON struct {
	ID   int64  `json:"id,omitempty"` // of a record that there is
	Zone string `json:"zone"`
	Site string `json:"site,omitempty"` // whose owner may change it
	Name string `json:"name"`
	Type string `json:"type"`
	TTL  uint32 `json:"ttl"`
	Data string `json:"data"`
	Note string `json:"note,omitempty"` // what else a change has brought
}

// zoneNames are the zones by their keys. The names of zones are no secret: records name them.
func (p *Panel) zoneNames(c echo.Context) (map[sites.ZoneID]string, error) {
	zones, err := p.service.Zones(c.Request().Context(), sites.System)
	names := make(map[sites.ZoneID]string, len(zones))
	for _, z := range zones {
		names[z.ID] = z.Name
	}
	return names, err
}

func recordOut(r sites.Record, zones map[sites.ZoneID]string) recordJSON {
	return recordJSON{ID: r.ID, Zone: zones[r.Zone], Site: r.SiteName, Name: r.Name, Type: r.Type, TTL: r.TTL, Data: r.Data}
}

// apiRecords lists the records that the account may change. Where there are more, the header Link leads on (RFC 8288).
func (p *Panel) apiRecords(c echo.Context, actor sites.Actor, _ sites.Account) error {
	limit, err := wholeParam(c, "limit", maxRecords, 1, maxRecords)
	if err != nil {
		return err
	}
	offset, err := wholeParam(c, "offset", 0, 0, maxPage*maxRecords)
	if err != nil {
		return err
	}
	records, err := p.service.Records(c.Request().Context(), actor, sites.RecordFilter{
		Zone: c.QueryParam("zone"), Site: c.QueryParam("site"), Name: c.QueryParam("name"), Type: c.QueryParam("type"), Limit: limit + 1, Offset: offset,
	})
	if err != nil {
		return err
	}
	if len(records) > limit {
		records = records[:limit]
		next := c.QueryParams()
		next.Set("limit", strconv.Itoa(limit))
		next.Set("offset", strconv.Itoa(offset+limit))
		c.Response().Header().Set("Link", "<"+pathAPI+"/records?"+next.Encode()+`>; rel="next"`)
	}
	zones, err := p.zoneNames(c)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, recordsOut(records, zones))
}

func recordsOut(records []sites.Record, zones map[sites.ZoneID]string) []recordJSON {
	out := make([]recordJSON, len(records))
	for i, r := range records {
		out[i] = recordOut(r, zones)
	}
	return out
}

// wholeParam reads a whole number of the query.
func wholeParam(c echo.Context, name string, fallback, least, most int) (int, error) {
	text := c.QueryParam(name)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < least || n > most {
		return 0, sites.RefuseField(sites.ErrInvalid, name, "The parameter %s must be a whole number between %d and %d.", name, least, most)
	}
	return n, nil
}

func (p *Panel) answerRecord(c echo.Context, status int, r sites.Record, note string) error {
	zones, err := p.zoneNames(c)
	if err != nil {
		return err
	}
	out := recordOut(r, zones)
	out.Note = note
	return c.JSON(status, out)
}

func (p *Panel) apiRecord(c echo.Context, actor sites.Actor, _ sites.Account) error {
	id, err := recordParam(c)
	if err != nil {
		return err
	}
	record, err := p.service.RecordByID(c.Request().Context(), actor, id)
	if err != nil {
		return err
	}
	return p.answerRecord(c, http.StatusOK, record, "")
}

func (p *Panel) apiCreateRecord(c echo.Context, actor sites.Actor, _ sites.Account) error {
	var in struct {
		Name string `json:"name"` // absolute
		Type string `json:"type"`
		TTL  uint32 `json:"ttl"`
		Data string `json:"data"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	record, err := p.service.AddRecord(c.Request().Context(), actor, sites.NewRecord{Name: in.Name, Type: in.Type, TTL: in.TTL, Data: in.Data})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", pathAPI+"/records/"+strconv.FormatInt(record.ID, 10))
	return p.answerRecord(c, http.StatusCreated, record.Record, record.Note)
}

// apiUpdateRecord changes TTL or data; what is left out stays as it is.
func (p *Panel) apiUpdateRecord(c echo.Context, actor sites.Actor, _ sites.Account) error {
	id, err := recordParam(c)
	if err != nil {
		return err
	}
	var in struct {
		TTL  *uint32 `json:"ttl"`
		Data *string `json:"data"`
	}
	if err := readJSON(c, &in); err != nil {
		return err
	}
	if in.TTL == nil && in.Data == nil {
		return sites.Refuse(sites.ErrInvalid, "Name what to change: ttl or data. Another name or type is another record.")
	}
	record, err := p.service.UpdateRecord(c.Request().Context(), actor, id, sites.RecordUpdate{TTL: in.TTL, Data: in.Data})
	if err != nil {
		return err
	}
	return p.answerRecord(c, http.StatusOK, record.Record, record.Note)
}

func (p *Panel) apiDeleteRecord(c echo.Context, actor sites.Actor, _ sites.Account) error {
	id, err := recordParam(c)
	if err != nil {
		return err
	}
	if err := p.service.DeleteRecord(c.Request().Context(), actor, id); err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}

func apiZonePath(name string) string { return pathAPI + "/zones/" + url.PathEscape(name) }
