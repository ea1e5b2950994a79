package templates

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// recordType is a type of DNS record in plain words.
type recordType struct {
	name    string
	purpose string // completes "MX – "
	write   string // what its data is
	example string
}

// recordTypes are the types that people can enter, the common ones first.
func recordTypes() []recordType {
	return []recordType{
		{"A", "an IPv4 address", "The IPv4 address that the name has.", "192.0.2.10"},
		{"AAAA", "an IPv6 address", "The IPv6 address that the name has.", "2001:db8::10"},
		{"CNAME", "another name for a name", "The name that this one is an alias of. There can be nothing else at this name.", "www.example.com"},
		{"MX", "where mail for this name goes", "A preference, the lowest is tried first, and the name of the mail server.", "10 mail.example.com"},
		{"TXT", "a text, such as SPF, DKIM or a proof of ownership", "The text, in quotes if it has spaces. A long one is split by itself.", `"v=spf1 mx -all"`},
		{"SRV", "where a service is", "Priority, weight, port and the name of the server. The record's own name is such as _sip._tcp.", "10 5 5060 sip.example.com"},
		{"CAA", "who may issue certificates", "A flag, 0 unless you know better; issue, issuewild or iodef; and a value in quotes.", `0 issue "letsencrypt.org"`},
		{"NS", "hands the name to other nameservers", "The name of a nameserver that answers for this name and all below it.", "ns1.example.net"},
		{"DS", "vouches for the keys of a name that is handed on", "Key tag, algorithm, digest type and digest, beside the NS records of the name.", "20326 13 2 E06D…"},
		{"HTTPS", "how browsers connect", "A priority, the name of the server, a dot for this name, and parameters.", "1 . alpn=h2"},
		{"SVCB", "how clients of a service connect", "A priority, the name of the server and parameters.", "1 dns.example.com alpn=dot"},
		{"TLSA", "the certificate that a service has", "Usage, selector, matching type and a hash. The record's own name is such as _25._tcp.mail.", "3 1 1 0a1b…"},
		{"SSHFP", "the key that an SSH server has", "Algorithm, kind of fingerprint and the fingerprint, as ssh-keygen -r prints it.", "4 2 0a1b…"},
		{"PTR", "the name of an address", "The name that the address has. It belongs into a zone below in-addr.arpa or ip6.arpa.", "host.example.com"},
	}
}

// hintsFor is what to write for a type.
func hintsFor(name string) []recordType {
	var hints []recordType
	for _, t := range recordTypes() {
		if t.name == name {
			hints = append(hints, t)
		}
	}
	return hints
}

// ownAnswer is what berth says of a site's name by itself.
type ownAnswer struct{ types, what string }

func (v SiteRecordsView) ownAnswers() []ownAnswer {
	addresses := "The addresses of this server, so that visitors find the site."
	if len(v.Addresses) > 0 {
		addresses = "This server, so that visitors find the site: " + strings.Join(v.Addresses, ", ") + "."
	}
	list := []ownAnswer{
		{"A, AAAA", addresses},
		{"HTTPS", "Has browsers use HTTPS from the first moment on."},
		{"MX, TXT", "“No mail here” and “no mail from here”, so that nobody can write in this name. An MX record of yours takes the place of both, a TXT record that begins with v=spf1 that of the second."},
	}
	if v.Signed {
		list = append(list, ownAnswer{"RRSIG, NSEC", "Signatures (DNSSEC), by which resolvers notice forgeries. Your records are signed, too."})
	}
	return list
}

// heading says which record it is.
func (r RecordRow) heading() string { return r.Type + " of " + r.Name }

// at is the address of the list at a page: path alone for the first page of all.
func (l RecordList) at(path string, page int) string {
	query := url.Values{}
	for key, value := range map[string]string{"name": l.Name, "type": l.Type} {
		if value != "" {
			query.Set(key, value)
		}
	}
	if page > 1 {
		query.Set("page", strconv.Itoa(page))
	}
	if len(query) == 0 {
		return path
	}
	return path + "?" + query.Encode()
}

func (l RecordList) narrowed() bool { return l.Name != "" || l.Type != "" }

// paged reports whether there are more pages than this one.
func (l RecordList) paged() bool { return l.Page > 1 || l.More }

// faulty counts the lines that are wrong, without the notes.
func (v ImportView) faulty() (n int) {
	for _, line := range v.Lines {
		if !line.Note {
			n++
		}
	}
	return n
}

// changes reports whether applying would do anything.
func (v ImportView) changes() bool { return len(v.Added)+len(v.Changed)+len(v.Removed) > 0 }

func (v ImportView) summary() string {
	if !v.changes() {
		return "Nothing would change: the zone has all of this already."
	}
	text := plural(int64(len(v.Added)), "record") + " would be added, " + number(int64(len(v.Changed))) + " changed and " +
		number(int64(len(v.Removed))) + " removed"
	if v.Kept > 0 {
		text += "; " + number(int64(v.Kept)) + " stay as they are"
	}
	return text + "."
}

func (v ImportView) modeWords() string {
	if v.Mode == "replace" {
		return "Records that are not in the file are removed."
	}
	return "Records that are not in the file stay."
}

// maxPlanned bounds each list of an import's preview, so that a large file makes no page that browsers choke on.
const maxPlanned = 200

// recordLine is a record as a zone file has it.
func recordLine(r RecordRow) string {
	return r.Name + ". " + strconv.FormatInt(r.TTL, 10) + " " + r.Type + " " + r.Data
}

func importWord(planned bool) string {
	if planned {
		return "Change the file"
	}
	return "The zone file"
}

func zoneFileExample(zone string) string {
	if zone == "" {
		zone = "example.org"
	}
	return "$ORIGIN " + zone + ".\n$TTL 3600\n@     MX   10 mail\nmail  A    192.0.2.25"
}

// seconds is a number of seconds as a duration, without running over.
func seconds(n int64) time.Duration {
	return time.Duration(min(max(n, 0), 1<<31)) * time.Second
}
