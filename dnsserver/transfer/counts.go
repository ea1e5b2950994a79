package transfer

import "sync/atomic"

// Outcome is how a transfer or a NOTIFY may end, in the words of statistics.
type Outcome struct {
	Direction string // "out" to a peer, "in" from a primary
	Kind      string // what was asked for: "axfr", "ixfr"; "notify"
	// Result is "done"; "whole" for an IXFR that came to be the whole zone; "soa" for one that came to be the SOA record alone, as nothing
	// has changed, or TCP is to be used; "refused" or "failed".
	Result string
}

// outcome is the index of an Outcome.
type outcome int

const (
	axfrSent outcome = iota
	axfrRefused
	axfrBroken
	ixfrSent
	ixfrSentWhole
	ixfrSentSOA
	ixfrRefused
	ixfrBroken
	notifyAnswered
	notifyTurnedDown
	notifyUnanswered
	axfrTaken
	axfrFailed
	ixfrTaken
	ixfrTakenWhole
	ixfrTakenSOA
	ixfrFailed
	notifyTaken
	notifyRefused
)

var outcomes = [...]Outcome{
	axfrSent:         {"out", "axfr", "done"},
	axfrRefused:      {"out", "axfr", "refused"},
	axfrBroken:       {"out", "axfr", "failed"},
	ixfrSent:         {"out", "ixfr", "done"},
	ixfrSentWhole:    {"out", "ixfr", "whole"},
	ixfrSentSOA:      {"out", "ixfr", "soa"},
	ixfrRefused:      {"out", "ixfr", "refused"},
	ixfrBroken:       {"out", "ixfr", "failed"},
	notifyAnswered:   {"out", "notify", "done"},
	notifyTurnedDown: {"out", "notify", "refused"},
	notifyUnanswered: {"out", "notify", "failed"},
	axfrTaken:        {"in", "axfr", "done"},
	axfrFailed:       {"in", "axfr", "failed"},
	ixfrTaken:        {"in", "ixfr", "done"},
	ixfrTakenWhole:   {"in", "ixfr", "whole"},
	ixfrTakenSOA:     {"in", "ixfr", "soa"},
	ixfrFailed:       {"in", "ixfr", "failed"},
	notifyTaken:      {"in", "notify", "done"},
	notifyRefused:    {"in", "notify", "refused"},
}

// counts is how often each came.
type counts [len(outcomes)]atomic.Uint64

func (c *counts) note(o outcome) { c[o].Add(1) }

// Counts is how often each outcome has come; those that have not are there, too.
func (s *Service) Counts() map[Outcome]uint64 {
	all := make(map[Outcome]uint64, len(outcomes))
	for i, o := range outcomes {
		all[o] = s.counts[i].Load()
	}
	return all
}
