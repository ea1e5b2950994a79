package panel

import (
	"net/http"
	"sort"
	"strconv"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

// recordsPerPage bounds a page of records.
const recordsPerPage = 100

// maxPage keeps what people write into an address from becoming an offset out of bounds.
const maxPage = 1_000_000

func (p *Panel) zoneRecordsPage(c echo.Context, who visitor) error {
	home, err := p.zoneHome(c, who)
	if err != nil {
		return err
	}
	return p.renderZoneRecords(c, who, http.StatusOK, home, emptyRecord(home))
}

func (p *Panel) renderZoneRecords(c echo.Context, who visitor, status int, home recordHome, form templates.RecordForm) error {
	zone, err := p.service.Zone(c.Request().Context(), who.actor, home.zone)
	if err != nil {
		return err
	}
	filter := sites.RecordFilter{Zone: zone.Name, Type: strings.ToUpper(c.QueryParam("type"))}
	if name := strings.TrimSpace(c.QueryParam("name")); name != "" {
		filter.Name = home.complete(name)
	}
	view := templates.ZoneRecordsView{Zone: zone.Name, Total: zone.Records, Form: form}
	if view.RecordList, err = p.recordList(c, who, filter); err != nil {
		return err
	}
	view.Shell = p.shell(c, "Records of "+zone.Name, templates.SectionZones)
	return p.render(c, status, templates.ZoneRecords(view))
}

// recordList reads the page of the list that the address names; one that does not exist is the last one that does.
func (p *Panel) recordList(c echo.Context, who visitor, filter sites.RecordFilter) (templates.RecordList, error) {
	list := templates.RecordList{Name: filter.Name, Type: filter.Type, Page: 1}
	if n, err := strconv.Atoi(c.QueryParam("page")); err == nil {
		list.Page = min(max(1, n), maxPage)
	}
	var failed error
	// page has one record more than is shown: that tells whether there are others.
	page := func(number int) []sites.Record {
		filter.Limit, filter.Offset = recordsPerPage+1, (number-1)*recordsPerPage
		records, err := p.service.Records(c.Request().Context(), who.actor, filter)
		if err != nil {
			failed = err
		}
		return records
	}
	records := page(list.Page)
	if len(records) == 0 && list.Page > 1 && failed == nil {
		beyond := 2 + sort.Search(list.Page-2, func(i int) bool { return len(page(i+2)) == 0 })
		list.Page = beyond - 1
		records = page(list.Page)
	}
	list.More = len(records) > recordsPerPage
	list.Records = recordRows(records[:min(len(records), recordsPerPage)])
	return list, failed
}
