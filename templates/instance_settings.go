package templates

import "strconv"

// InstancesOffer is what can be said of a site's instances beside their number.
type InstancesOffer struct {
	Most      int // that the account may choose, or the site has
	MemoryMB  int // limits of each
	CPUs      float64
	InProcess bool // more than one make no difference
}

func (o InstancesOffer) choices() []choice {
	choices := make([]choice, max(1, min(o.Most, 99)))
	for i := range choices {
		n := strconv.Itoa(i + 1)
		choices[i] = choice{n, n}
	}
	return choices
}

func (o InstancesOffer) hint() string {
	if o.InProcess {
		return ""
	}
	if text := limits(o.MemoryMB, o.CPUs); text != "" {
		return "Each has limits of its own: " + text + "."
	}
	return "Each has limits of its own."
}
