package sites

import "time"

// InstanceTrouble is why requests to an instance are not answered; the zero one says that they are, as far as is known.
type InstanceTrouble struct {
	Kind  TroubleKind
	Since time.Time
}

// TroubleKind is how an instance fails.
type TroubleKind string

const (
	TroubleConnection TroubleKind = "connection" // it cannot be connected to, or breaks connections before it answers
	TroubleAnswer     TroubleKind = "answer"     // it answers that it cannot answer
	TroubleCheck      TroubleKind = "check"      // it does not answer when it is asked for the site's health path
)

// None reports whether there is no trouble.
func (t InstanceTrouble) None() bool { return t.Kind == "" }

// Phrase says what the instance does, to follow its name.
func (t InstanceTrouble) Phrase() string {
	switch t.Kind {
	case TroubleConnection:
		return "takes no connections or breaks them"
	case TroubleAnswer:
		return "answered over and over that it cannot (502, 503 or 504)"
	case TroubleCheck:
		return "does not answer when it is asked for the health path"
	}
	return "answers"
}

// Route is where the HTTPS server sends requests for a host; the zero one: nowhere, so visitors get the page about unknown hosts.
type Route struct {
	Site   string
	Itself bool // berth can serve the active release's files itself, also where no instance answers
}
