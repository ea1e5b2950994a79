package templates

// SettingsView is how one site answers, section by section. Each section is a form of its own.
type SettingsView struct {
	Shell
	Name      string
	Hosts     []string          // that the site answers at, its own name first
	Form      SettingsForm      // as stored, and what was typed in the section that is at fault
	Protected bool              // a password is set
	Warnings  map[string]string // why a setting does not do what one would expect, by the input's name
	Client    string            // the address that this page was asked for from
	Running   InstancesOffer
}

// SettingsForm is the inputs; their names are those of the fields in lower case, with underscores.
type SettingsForm struct {
	Canonical         string
	TrailingSlash     string // add, remove; empty: as it is
	HSTS              string // host, subdomains; empty: off
	User              string
	Allow             string // one to a line
	Maintenance       bool
	DownPage          string
	MaintenancePage   string
	RequestsPerSecond string
	Connections       string
	BodyMB            string
	Instances         string
	HealthPath        string
	Faults            Faults
}

// SiteSettingsPath is the page of a site's settings.
func SiteSettingsPath(name string) string { return SitePath(name) + "/settings" }

// SiteSettingPath is where a section of a site's settings is posted to: addresses, https, password, no-password, visitors,
// maintenance, pages or limits.
func SiteSettingPath(name, section string) string { return SiteSettingsPath(name) + "/" + section }

// choice is an option of a select.
type choice struct{ value, word string }

func (v SettingsView) canonicalChoices() []choice {
	choices := []choice{{"", "Every address shows the site"}}
	for _, host := range v.Hosts {
		choices = append(choices, choice{host, "Only " + host})
	}
	return choices
}

func (v SettingsView) canonicalHint() string {
	if len(v.Hosts) < 2 {
		return "The site has one address so far. Others are added on the page Domains."
	}
	return "The site’s other addresses lead to it, so that search engines and bookmarks know one."
}

func slashChoices() []choice {
	return []choice{{"", "Leave them as they are"}, {"add", "Always with a slash: /about/"}, {"remove", "Never with a slash: /about"}}
}

func hstsChoices() []choice {
	return []choice{{"", "Off"}, {"host", "For this site’s addresses"}, {"subdomains", "Also for all names below them"}}
}
