package diagnosis

import (
	"fmt"
	"time"

	"berth/sites"
)

// certificate judges what a host is served with, and how the order of its own goes.
func (s Site) certificate(l *findings, h Host) {
	c := h.Certificate
	if s.Owner {
		s.certificateForOwner(l, c)
		return
	}
	certificate(l, s.Now, TopicCertificate, c)
	if c.State == sites.CertificateFailed || c.State == sites.CertificatePending {
		budgets(l, TopicCertificate, h.Budgets)
	}
}

func (s Site) certificateForOwner(l *findings, c sites.Certificate) {
	sentence := c.Host + ": " + lowerFirst(c.Sentence(s.Now))
	level := certificateLevel(s.Now, c)
	if level == OK {
		l.ok(TopicCertificate, "%s", sentence)
		return
	}
	l.add(level, TopicCertificate, sentence, certificateRemedy(s.Now, c, "If it does not come by itself within an hour, tell an admin."))
}

// certificate judges one certificate for who runs the server.
func certificate(l *findings, now time.Time, topic Topic, c sites.Certificate) {
	level := certificateLevel(now, c)
	const usual = "Look at the list of certificates in the panel, which can order it at once; the log of berth has what the authority said."
	switch {
	case c.NotAfter.IsZero():
		l.add(level, topic, fmt.Sprintf("Nothing that browsers accept serves %s. %s", c.Host, c.Sentence(now)), certificateRemedy(now, c, usual))
	case c.Expired(now):
		l.add(level, topic, fmt.Sprintf("The certificate of %s ended on %s, so browsers warn visitors.", c.Host, moment(now, c.NotAfter)), certificateRemedy(now, c, usual))
	case level == OK:
		l.ok(topic, "%s", served(now, c)+waiting(c))
	case c.Expiring(now):
		l.add(level, topic, fmt.Sprintf("The certificate of %s ends on %s and has not been renewed.", c.Host, moment(now, c.NotAfter)), certificateRemedy(now, c, usual))
	default:
		l.add(level, topic, served(now, c)+" The last order of its own failed.", certificateRemedy(now, c, usual))
	}
}

// waiting is what is to be known of a certificate that is well.
func waiting(c sites.Certificate) string {
	if c.LastError != "" {
		return " " + c.LastError
	}
	if c.State == sites.CertificatePending {
		return " Its own is on its way."
	}
	return ""
}

func certificateLevel(now time.Time, c sites.Certificate) Level {
	switch {
	case c.Expired(now), c.NotAfter.IsZero():
		return Fault
	case c.State == sites.CertificateFailed, c.Expiring(now):
		return Warning
	}
	return OK
}

// certificateRemedy says why the last order failed and when the next one is; otherwise is for where nothing is known of that.
func certificateRemedy(now time.Time, c sites.Certificate, otherwise string) string {
	text := otherwise
	if c.LastError != "" {
		text = c.LastError
	}
	if !c.Retry.IsZero() {
		text += fmt.Sprintf(" It is tried again at %s.", moment(now, c.Retry))
	}
	return text
}

// budgets tells of authorities that have little left to give.
func budgets(l *findings, topic Topic, list []sites.CertificateBudget) {
	for _, b := range list {
		if b.Scarce() {
			l.add(Warning, topic, fmt.Sprintf("%s has given %d of the %d first certificates that it gives for %s in a week.", b.Authority, b.Issued, b.Limit, b.Domain),
				"Wait: what is ordered seven days ago does not count any more. Sites below the zone are served by its wildcard meanwhile.")
		}
	}
}
