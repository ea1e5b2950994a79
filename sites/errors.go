package sites

import (
	"errors"
	"fmt"
)

// The kinds of refusal that callers tell apart with errors.Is. An error of a kind carries a sentence for people; see Refusal.
var (
	ErrNotFound    = errors.New("not found")
	ErrInvalid     = errors.New("invalid")       // malformed input
	ErrReserved    = errors.New("reserved")      // a name that berth keeps for itself
	ErrTaken       = errors.New("taken")         // a name that is in use
	ErrForbidden   = errors.New("forbidden")     // the actor's role does not allow it
	ErrQuota       = errors.New("over quota")    // the owner's quota does not allow it
	ErrConflict    = errors.New("conflict")      // the present state does not allow it
	ErrTooLarge    = errors.New("too large")     // an upload over a limit
	ErrNoSpace     = errors.New("no space")      // the disk is full
	ErrUnavailable = errors.New("unavailable")   // the runtime or the store does not answer
	ErrNotReady    = errors.New("not ready yet") // berth is starting or stopping
)

// Refusal is an error meant for the person who asked: Kind is one of the sentinel errors above, Field names
// the faulty input where there is one, and Sentence says what was wrong and what would be right.
type Refusal struct {
	Kind     error
	Field    string
	Sentence string
}

func (r *Refusal) Error() string { return r.Sentence }

// Unwrap makes errors.Is(err, ErrTaken) and the like hold.
func (r *Refusal) Unwrap() error { return r.Kind }

// Refuse returns a Refusal of the kind with a formatted sentence.
func Refuse(kind error, format string, args ...any) error {
	return &Refusal{Kind: kind, Sentence: fmt.Sprintf(format, args...)}
}

// RefuseField is Refuse for a fault of one input field.
func RefuseField(kind error, field, format string, args ...any) error {
	return &Refusal{Kind: kind, Field: field, Sentence: fmt.Sprintf(format, args...)}
}
