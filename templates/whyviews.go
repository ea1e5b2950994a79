package templates

// PathWhy is what does not work of the server (GET), or of the site or host in query parameter name.
const PathWhy = "/admin/why"

// SiteWhyPath says what keeps visitors from a site.
func SiteWhyPath(name string) string { return SitePath(name) + "/why" }

// WhyView is what was found of a site, a name or the server.
type WhyView struct {
	Shell
	Site    string // the site's name, on the page of its owner
	Asked   string // what an admin asked about; empty: the server
	Subject string // a host, or the zone of the server
	Checks  []Check
	Fault   string // why nothing could be found out
}

// Check is one thing that was looked at.
type Check struct {
	Level    string // ok, warning or fault
	Topic    string // such as certificate
	Sentence string // what is so
	Remedy   string // what would make it right; empty: it is well
}

func (v WhyView) count(level string) (n int) {
	for _, c := range v.Checks {
		if c.Level == level {
			n++
		}
	}
	return n
}

func (v WhyView) tone() string {
	if v.count("fault")+v.count("warning") > 0 {
		return "warn"
	}
	return "ok"
}

func (v WhyView) picture() string {
	if v.tone() == "ok" {
		return "check"
	}
	return "alert"
}

func (v WhyView) heading() string {
	faults, warnings := v.count("fault"), v.count("warning")
	switch {
	case faults == 1:
		return "1 thing does not work"
	case faults > 1:
		return plural(int64(faults), "thing") + " do not work"
	case warnings > 0:
		return "It works, with " + plural(int64(warnings), "thing") + " to know"
	}
	return "Nothing is wrong"
}

func (v WhyView) summary() string {
	if v.tone() == "ok" {
		return "All that berth can look at is as it should be."
	}
	return "Below, each has what would make it right."
}

// tone is the style class of a check.
func (c Check) tone() string {
	switch c.Level {
	case "ok":
		return "ok"
	case "warning":
		return "warn"
	}
	return "bad"
}

func (c Check) word() string {
	switch c.Level {
	case "ok":
		return "Well"
	case "warning":
		return "Note"
	}
	return "Wrong"
}

// topic is what the check is about, for people.
func (c Check) topic() string {
	words := map[string]string{
		"name": "Address", "zone": "Domain of this server", "domain": "Own domain", "route": "Way to the site", "certificate": "Encryption (HTTPS)",
		"site": "Site", "instances": "Instances", "content": "Releases", "servers": "Servers", "secondaries": "Secondary nameservers",
		"certificates": "Certificates", "runtime": "Runtime", "disk": "Disk", "sites": "Sites", "queues": "Under way",
	}
	if word, ok := words[c.Topic]; ok {
		return word
	}
	return c.Topic
}
