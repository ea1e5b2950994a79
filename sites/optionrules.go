package sites

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
)

// What an option can be at most.
const (
	maxAllow     = 200
	maxPagePath  = 200     // bytes
	maxBound     = 100_000 // requests
	maxBodyBound = 10_240  // MiB
)

// canonicalOf judges the host that the site's other hosts are to redirect to.
func canonicalOf(ctx context.Context, r SiteReader, site SiteID, input string) (string, error) {
	name := CanonicalHost(strings.TrimSpace(input))
	if name == "" {
		return "", nil
	}
	hosts, err := r.Hosts(ctx, site)
	if err != nil {
		return "", err
	}
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
	}
	if !slices.Contains(names, name) {
		return "", refuseOption("canonical", "%s is not an address of this site. It can be one of these: %s.", name, strings.Join(names, ", "))
	}
	return name, nil
}

func parseTrailingSlash(mode TrailingSlash) (TrailingSlash, error) {
	switch mode {
	case SlashAsIs, SlashAdd, SlashRemove:
		return mode, nil
	}
	return "", refuseOption("trailing_slash", "The trailing slash can be kept as it is, added or removed.")
}

func parseHSTS(reach HSTS) (HSTS, error) {
	switch reach {
	case HSTSOff, HSTSHost, HSTSSubdomains:
		return reach, nil
	}
	return "", refuseOption("hsts", "HSTS can be off, for the host, or for the host with its subdomains.")
}

// parseAllow reads addresses and prefixes, in order and without doubles.
func parseAllow(inputs []string) ([]netip.Prefix, error) {
	var allow []netip.Prefix
	for _, input := range inputs {
		input = strings.TrimSpace(input)
		if input == "" {
			continue
		}
		prefix, ok := parseNetwork(input)
		if !ok {
			return nil, refuseOption("allow", "%q is not an address or network. Write addresses such as 192.0.2.7 or 2001:db8::7, and networks such as 192.0.2.0/24.", shortened(input))
		}
		allow = append(allow, prefix)
	}
	slices.SortFunc(allow, netip.Prefix.Compare)
	allow = slices.Compact(allow)
	if len(allow) > maxAllow {
		return nil, refuseOption("allow", "The list has %d entries, and it can have up to %d. Join neighbouring addresses to networks.", len(allow), maxAllow)
	}
	return allow, nil
}

// parseNetwork takes an address for a network of one. Bits behind a prefix's length are dropped, and IPv4 in IPv6 is IPv4.
func parseNetwork(text string) (netip.Prefix, bool) {
	if addr, err := netip.ParseAddr(text); err == nil && addr.Zone() == "" {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), true
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, false
	}
	if prefix.Addr().Is4In6() {
		if prefix.Bits() < 96 {
			return netip.Prefix{}, false
		}
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-96)
	}
	return prefix.Masked(), true
}

// shortened is text that is quoted back, at a length that a sentence bears.
func shortened(text string) string {
	const most = 60
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

func bound(option string, most int) func(int) (int, error) {
	return func(n int) (int, error) {
		if n < 0 || n > most {
			return 0, refuseOption(option, "The bound must be a whole number from 0 to %d; 0 means none.", most)
		}
		return n, nil
	}
}

// pageOf judges the path of a page of the site's own. The active release must have it; before the first release any will do.
func (s *Service) pageOf(site Site, option string) func(string) (string, error) {
	return func(input string) (string, error) {
		page, sentence := parsePage(input)
		if sentence != "" {
			return "", refuseOption(option, "%s", sentence)
		}
		if page != "" && site.Active != 0 && !s.content.has(site.ID, site.Active, page) {
			return "", refuseOption(option, "%s", missingPage(site.Active, page))
		}
		return page, nil
	}
}

func missingPage(release int, page string) string {
	return fmt.Sprintf("Release %d has no file %s. Upload one that has, or correct the path.", release, page)
}

// parsePage returns the path of a file within a release as "/a/b.html", or the sentence that says what is wrong with it.
func parsePage(input string) (page, sentence string) {
	input = strings.TrimSpace(input)
	if input == "" {
		return "", ""
	}
	page = path.Clean("/" + input)
	switch {
	case len(page) > maxPagePath:
		return "", fmt.Sprintf("The path is too long: it can have up to %d characters.", maxPagePath)
	case !printable(page) || strings.Contains(page, `\`):
		return "", "The path cannot hold backslashes or control characters."
	case page == "/" || strings.HasSuffix(input, "/"):
		return "", "Give the path of a file, such as /errors/down.html."
	case strings.Contains(page, "/."):
		return "", "Files and folders whose names begin with a dot are not shown to visitors. Choose another one."
	}
	return page, ""
}

// has reports whether a release has the file that page is the path of.
func (c content) has(site SiteID, number int, page string) bool {
	root, err := os.OpenRoot(c.dir(site, number))
	if err != nil {
		return false
	}
	defer root.Close()
	info, err := root.Stat(strings.TrimPrefix(page, "/"))
	return err == nil && info.Mode().IsRegular()
}

// OptionWarning says why an option has no effect.
type OptionWarning struct {
	Option   string // such as "pages.down"
	Sentence string // for people
}

// OptionWarnings lists the options that have lost their effect since they were set: by another release, or because a host
// has gone.
func (s *Service) OptionWarnings(site SiteStatus) []OptionWarning {
	var found []OptionWarning
	o := site.Options
	if sentence := lostCanonical(o.Canonical, site.Hosts); sentence != "" {
		found = append(found, OptionWarning{"canonical", sentence})
	}
	for _, p := range []struct{ option, page string }{{"pages.down", o.Pages.Down}, {"pages.maintenance", o.Pages.Maintenance}} {
		switch {
		case p.page == "":
		case site.Active == 0:
			found = append(found, OptionWarning{p.option, "There is no release yet, so visitors get berth’s page instead of " + p.page + "."})
		case !s.content.has(site.ID, site.Active, p.page):
			found = append(found, OptionWarning{p.option, fmt.Sprintf("Release %d has no file %s, so visitors get berth’s page.", site.Active, p.page)})
		}
	}
	return found
}

func lostCanonical(host string, hosts []Host) string {
	at := slices.IndexFunc(hosts, func(h Host) bool { return h.Name == host })
	switch {
	case host == "":
	case at < 0:
		return host + " is not an address of this site any more, so nothing redirects there."
	case hosts[at].Lapsed:
		return host + " does not lead here any more, so nothing redirects there."
	}
	return ""
}
