package sites

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// describeOptions says for the audit log what differs between two Options; of passwords it says that they are new.
func describeOptions(before, after Options) (said []string) {
	say := func(differs bool, phrase string) {
		if differs {
			said = append(said, phrase)
		}
	}
	a, b := after, before
	say(a.Canonical != b.Canonical, "main address "+orNone(a.Canonical))
	say(a.TrailingSlash != b.TrailingSlash, "trailing slash "+slashWord(a.TrailingSlash))
	say(a.HSTS != b.HSTS, "HSTS "+hstsWord(a.HSTS))
	say(a.Login != b.Login, loginWords(b.Login, a.Login))
	say(!slices.Equal(a.Allow, b.Allow), "visitors "+allowWords(a.Allow))
	say(a.Maintenance != b.Maintenance, "maintenance "+onOff(a.Maintenance))
	say(a.Pages.Down != b.Pages.Down, "page when down "+orNone(a.Pages.Down))
	say(a.Pages.Maintenance != b.Pages.Maintenance, "page during maintenance "+orNone(a.Pages.Maintenance))
	say(a.Bounds.RequestsPerSecond != b.Bounds.RequestsPerSecond, "requests a second "+boundWord(a.Bounds.RequestsPerSecond, ""))
	say(a.Bounds.Connections != b.Bounds.Connections, "requests at a time "+boundWord(a.Bounds.Connections, ""))
	say(a.Bounds.BodyMB != b.Bounds.BodyMB, "request bodies "+boundWord(a.Bounds.BodyMB, " MB"))
	return said
}

func orNone(text string) string { return orDefault(text, "none") }

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}

func slashWord(mode TrailingSlash) string {
	switch mode {
	case SlashAdd:
		return "added"
	case SlashRemove:
		return "removed"
	}
	return "as it is"
}

func hstsWord(reach HSTS) string {
	switch reach {
	case HSTSHost:
		return "for the host"
	case HSTSSubdomains:
		return "with subdomains"
	}
	return "off"
}

func loginWords(before, after Login) string {
	switch {
	case !after.Required():
		return "password protection off"
	case !before.Required():
		return "password protection on for user " + after.User
	case before.PasswordHash == after.PasswordHash:
		return "password protection for user " + after.User
	}
	return "new password for user " + after.User
}

// allowWords names a few of the networks: a line of the audit log is no list.
func allowWords(allow []netip.Prefix) string {
	const most = 5
	if len(allow) == 0 {
		return "from everywhere"
	}
	var names []string
	for _, prefix := range allow[:min(len(allow), most)] {
		names = append(names, networkWord(prefix))
	}
	text := "only from " + strings.Join(names, " and ")
	if more := len(allow) - most; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// networkWord writes a network of one address as that address.
func networkWord(prefix netip.Prefix) string {
	if prefix.IsSingleIP() {
		return prefix.Addr().String()
	}
	return prefix.String()
}

func boundWord(n int, unit string) string {
	if n == 0 {
		return "without bound"
	}
	return fmt.Sprintf("up to %d%s", n, unit)
}
