package panel

import (
	"bytes"
	"encoding/json"
	"net/netip"

	"berth/sites"
)

// optionsJSON is how a site answers, as the API shows it. Of a login there is the user alone: passwords come in and never out.
type optionsJSON struct {
	Canonical     string     `json:"canonical"`
	TrailingSlash string     `json:"trailing_slash"`
	HSTS          string     `json:"hsts"`
	Login         *loginJSON `json:"login"`
	Allow         []string   `json:"allow"`
	Maintenance   bool       `json:"maintenance"`
	Pages         pagesJSON  `json:"pages"`
	Bounds        boundsJSON `json:"bounds"`
}

type loginJSON struct {
	User string `json:"user"`
}

type pagesJSON struct {
	Down        string `json:"down"`
	Maintenance string `json:"maintenance"`
}

type boundsJSON struct {
	RequestsPerSecond int `json:"requests_per_second"`
	Connections       int `json:"connections"`
	BodyMB            int `json:"body_mb"`
}

// What the API calls the options that are as they come.
const (
	slashKeep = "keep"
	hstsOff   = "off"
)

func optionsOut(o sites.Options) optionsJSON {
	out := optionsJSON{
		Canonical: o.Canonical, TrailingSlash: orWord(string(o.TrailingSlash), slashKeep), HSTS: orWord(string(o.HSTS), hstsOff),
		Allow: allowLines(o.Allow), Maintenance: o.Maintenance,
		Pages:  pagesJSON{Down: o.Pages.Down, Maintenance: o.Pages.Maintenance},
		Bounds: boundsJSON(o.Bounds),
	}
	if o.Login.Required() {
		out.Login = &loginJSON{User: o.Login.User}
	}
	return out
}

func orWord(text, word string) string {
	if text == "" {
		return word
	}
	return text
}

// allowLines writes networks of one address as that address.
func allowLines(allow []netip.Prefix) []string {
	lines := make([]string, len(allow))
	for i, prefix := range allow {
		lines[i] = prefix.String()
		if prefix.IsSingleIP() {
			lines[i] = prefix.Addr().String()
		}
	}
	return lines
}

// optionsPatch is what a caller wants changed of the options; what is left out stays as it is.
type optionsPatch struct {
	Canonical     *string    `json:"canonical"`
	TrailingSlash *string    `json:"trailing_slash"`
	HSTS          *string    `json:"hsts"`
	Login         loginPatch `json:"login"`
	Allow         *[]string  `json:"allow"`
	Maintenance   *bool      `json:"maintenance"`
	Pages         struct {
		Down        *string `json:"down"`
		Maintenance *string `json:"maintenance"`
	} `json:"pages"`
	Bounds struct {
		RequestsPerSecond *int `json:"requests_per_second"`
		Connections       *int `json:"connections"`
		BodyMB            *int `json:"body_mb"`
	} `json:"bounds"`
}

// loginPatch tells a login of null, which ends it, from one that is left out.
type loginPatch struct{ update *sites.LoginUpdate }

// UnmarshalJSON is json.Unmarshaler's.
func (l *loginPatch) UnmarshalJSON(text []byte) error {
	l.update = new(sites.LoginUpdate)
	if string(text) == "null" {
		l.update.End = true
		return nil
	}
	var in struct {
		User     string `json:"user"`
		Password string `json:"password"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&in); err != nil {
		return err
	}
	*l.update = sites.LoginUpdate{User: in.User, Password: in.Password}
	return nil
}

// update refuses a patch that names no option.
func (in optionsPatch) update() (*sites.OptionsUpdate, error) {
	u := sites.OptionsUpdate{
		Canonical:     in.Canonical,
		TrailingSlash: word[sites.TrailingSlash](in.TrailingSlash, slashKeep),
		HSTS:          word[sites.HSTS](in.HSTS, hstsOff),
		Login:         in.Login.update,
		Allow:         in.Allow,
		Maintenance:   in.Maintenance,
		DownPage:      in.Pages.Down, MaintenancePage: in.Pages.Maintenance,
		RequestsPerSecond: in.Bounds.RequestsPerSecond, Connections: in.Bounds.Connections, BodyMB: in.Bounds.BodyMB,
	}
	if u == (sites.OptionsUpdate{}) {
		return nil, sites.RefuseField(sites.ErrInvalid, "options", "Name an option to change: canonical, trailing_slash, hsts, login, allow, maintenance, pages or bounds.")
	}
	return &u, nil
}

// word is a choice of the API as package sites has it, where the empty one has a word here.
func word[T ~string](in *string, empty string) *T {
	if in == nil {
		return nil
	}
	choice := T(*in)
	if *in == empty {
		choice = ""
	}
	return &choice
}
