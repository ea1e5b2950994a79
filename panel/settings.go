package panel

import (
	"errors"
	"net/http"
	"strconv"
	"strings"

	"berth/sites"
	"berth/templates"

	"github.com/labstack/echo/v4"
)

func (p *Panel) settingsPage(c echo.Context, who visitor) error {
	site, err := p.service.Site(c.Request().Context(), who.actor, siteParam(c))
	if err != nil {
		return err
	}
	return p.renderSettings(c, who, http.StatusOK, site, settingsForm(site.Site))
}

func (p *Panel) renderSettings(c echo.Context, who visitor, status int, site sites.SiteStatus, form templates.SettingsForm) error {
	view := templates.SettingsView{
		Shell:     p.shell(c, "Settings of "+site.Name, siteSection(who, site)),
		Name:      site.Name,
		Form:      form,
		Protected: site.Options.Login.Required(),
		Warnings:  make(map[string]string),
		Client:    clientAddr(c.Request()).String(),
		Running:   p.instancesOffer(who, site),
	}
	for _, h := range site.Hosts {
		view.Hosts = append(view.Hosts, h.Name)
	}
	for _, w := range p.service.OptionWarnings(site) {
		view.Warnings[settingOf(sites.OptionField(w.Option))] = w.Sentence
	}
	if !site.Options.Admits(clientAddr(c.Request())) {
		view.Warnings["allow"] = "Your own address is not among those that are saved: the site does not answer you."
	}
	if len(form.Faults) > 0 {
		view.Notices = append(view.Notices, templates.Notice{Kind: templates.NoticeError, Text: "Nothing was saved: see what is marked below."})
	}
	return p.render(c, status, templates.Settings(view))
}

// settingsForm fills the form with what is stored.
func settingsForm(site sites.Site) templates.SettingsForm {
	o := site.Options
	return templates.SettingsForm{
		Canonical: o.Canonical, TrailingSlash: string(o.TrailingSlash), HSTS: string(o.HSTS), User: o.Login.User,
		Allow: strings.Join(allowLines(o.Allow), "\n"), Maintenance: o.Maintenance,
		DownPage: o.Pages.Down, MaintenancePage: o.Pages.Maintenance,
		RequestsPerSecond: strconv.Itoa(o.Bounds.RequestsPerSecond), Connections: strconv.Itoa(o.Bounds.Connections),
		BodyMB: strconv.Itoa(o.Bounds.BodyMB), Instances: strconv.Itoa(site.Instances), HealthPath: site.HealthPath,
	}
}

// settingOf is the input of the page for the field that a refusal names.
func settingOf(field string) string {
	switch field {
	case sites.OptionField("pages.down"):
		return "down_page"
	case sites.OptionField("pages.maintenance"):
		return "maintenance_page"
	}
	return field[strings.LastIndexByte(field, '.')+1:]
}

// atSetting has a refusal name the input of the page.
func atSetting(err error) error {
	var refusal *sites.Refusal
	if !errors.As(err, &refusal) {
		return err
	}
	return &sites.Refusal{Kind: refusal.Kind, Field: settingOf(refusal.Field), Sentence: refusal.Sentence}
}

// setting is a section of the page: a form with a save of its own.
type setting struct {
	inputs []string // the first is where faults are shown that name none
	saved  func(sites.Options) string
	// read puts what was typed into the form, to be shown again where it is at fault, and makes an update of it.
	read func(typed func(string) string, form *templates.SettingsForm) (sites.OptionsUpdate, error)
}

// settings are the sections by the last part of their addresses.
func settings() map[string]setting {
	return map[string]setting{
		"addresses":   {[]string{"canonical", "trailing_slash"}, always("The addresses are saved."), readAddresses},
		"https":       {[]string{"hsts"}, always("HTTPS only is saved."), readHTTPS},
		"password":    {[]string{"user", "password"}, always("Visitors are asked for the password."), readPassword},
		"no-password": {[]string{"user"}, always("The site asks for no password any more."), readNoPassword},
		"visitors":    {[]string{"allow"}, visitorsSaved, readVisitors},
		"maintenance": {[]string{"maintenance"}, maintenanceSaved, readMaintenance},
		"pages":       {[]string{"maintenance_page", "down_page"}, always("The pages are saved."), readPages},
		"limits":      {[]string{"requests_per_second", "connections", "body_mb"}, always("The limits are saved."), readLimits},
	}
}

func always(sentence string) func(sites.Options) string {
	return func(sites.Options) string { return sentence }
}

func visitorsSaved(o sites.Options) string {
	if len(o.Allow) == 0 {
		return "Everybody may visit."
	}
	return "Only those on the list may visit."
}

func maintenanceSaved(o sites.Options) string {
	if o.Maintenance {
		return "Maintenance has begun: visitors get a page that says so."
	}
	return "Maintenance is over: visitors get the site again."
}

func (p *Panel) saveSetting(s setting) pageHandler {
	return func(c echo.Context, who visitor) error {
		typed, err := form(c)
		if err != nil {
			return err
		}
		ctx := c.Request().Context()
		site, err := p.service.Site(ctx, who.actor, siteParam(c))
		if err != nil {
			return err
		}
		shown := settingsForm(site.Site)
		update, err := s.read(typed, &shown)
		var saved sites.SiteStatus
		if err == nil {
			saved, err = p.service.UpdateOptions(ctx, who.actor, site.Name, update)
		}
		if err == nil {
			return p.done(c, templates.SiteSettingsPath(site.Name), s.saved(saved.Options))
		}
		if shown.Faults, err = faults(atSetting(err), s.inputs...); err != nil {
			return err
		}
		return p.renderSettings(c, who, http.StatusUnprocessableEntity, site, shown)
	}
}

func readAddresses(typed func(string) string, form *templates.SettingsForm) (sites.OptionsUpdate, error) {
	form.Canonical, form.TrailingSlash = typed("canonical"), typed("trailing_slash")
	slash := sites.TrailingSlash(form.TrailingSlash)
	return sites.OptionsUpdate{Canonical: &form.Canonical, TrailingSlash: &slash}, nil
}

func readHTTPS(typed func(string) string, form *templates.SettingsForm) (sites.OptionsUpdate, error) {
	form.HSTS = typed("hsts")
	reach := sites.HSTS(form.HSTS)
	return sites.OptionsUpdate{HSTS: &reach}, nil
}

func readPassword(typed func(string) string, form *templates.SettingsForm) (sites.OptionsUpdate, error) {
	form.User = typed("user")
	if form.User == "" {
		return sites.OptionsUpdate{}, sites.RefuseField(sites.ErrInvalid, "user", "Give the user name that visitors enter beside the password.")
	}
	return sites.OptionsUpdate{Login: &sites.LoginUpdate{User: form.User, Password: typed("password")}}, nil
}

func readNoPassword(func(string) string, *templates.SettingsForm) (sites.OptionsUpdate, error) {
	return sites.OptionsUpdate{Login: &sites.LoginUpdate{End: true}}, nil
}

func readVisitors(typed func(string) string, form *templates.SettingsForm) (sites.OptionsUpdate, error) {
	form.Allow = typed("allow")
	allow := strings.FieldsFunc(form.Allow, func(r rune) bool { return strings.ContainsRune(" \t\r\n,;", r) })
	return sites.OptionsUpdate{Allow: &allow}, nil
}

func readMaintenance(typed func(string) string, _ *templates.SettingsForm) (sites.OptionsUpdate, error) {
	on := typed("maintenance") == "on"
	return sites.OptionsUpdate{Maintenance: &on}, nil
}

func readPages(typed func(string) string, form *templates.SettingsForm) (sites.OptionsUpdate, error) {
	form.MaintenancePage, form.DownPage = typed("maintenance_page"), typed("down_page")
	return sites.OptionsUpdate{MaintenancePage: &form.MaintenancePage, DownPage: &form.DownPage}, nil
}

func readLimits(typed func(string) string, form *templates.SettingsForm) (u sites.OptionsUpdate, err error) {
	form.RequestsPerSecond, form.Connections, form.BodyMB = typed("requests_per_second"), typed("connections"), typed("body_mb")
	for _, bound := range []struct {
		input, text string
		to          **int
	}{
		{"requests_per_second", form.RequestsPerSecond, &u.RequestsPerSecond},
		{"connections", form.Connections, &u.Connections},
		{"body_mb", form.BodyMB, &u.BodyMB},
	} {
		n := 0 // an empty input means no limit, too
		if text := strings.TrimSpace(bound.text); text != "" {
			if n, err = strconv.Atoi(text); err != nil {
				return u, sites.RefuseField(sites.ErrInvalid, bound.input, "Enter a whole number; 0 means no limit.")
			}
		}
		*bound.to = &n
	}
	return u, nil
}
