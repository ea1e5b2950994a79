package zonefile

import (
	"fmt"
	"net/mail"
	"net/url"
	"strings"
)

// readCAA reads RFC 8659 section 4, with the tags that IANA's registry lists.
func readCAA(d *data) (value, error) {
	if len(d.fields) < 3 {
		return value{}, d.kind.wrong()
	}
	flags, tag := d.fields[0].text, strings.ToLower(d.fields[1].text)
	if flags != "0" && flags != "128" {
		return value{}, invalid("data", "The flags of a CAA record are 0, or 128 for a rule that a CA must understand; %s is neither.", shown(flags))
	}
	content, err := d.caaValue()
	if err != nil {
		return value{}, err
	}
	content, sentence := caaContent(tag, strings.TrimSpace(content))
	if sentence != "" {
		return value{}, invalid("data", "%s", sentence)
	}
	return value{data: fmt.Sprintf("%s %s %s", flags, tag, appendQuoted(nil, []byte(content)))}, nil
}

// caaValue returns what stands behind the tag, which people may enter without quotes.
func (d *data) caaValue() (string, error) {
	rest := d.text
	for range 2 {
		rest = strings.TrimLeft(rest, " \t")
		rest = strings.TrimLeft(rest[max(strings.IndexAny(rest, " \t"), 0):], " \t")
	}
	if rest != "" && !inQuotes(rest) && !strings.HasPrefix(d.text, "(") {
		return rest, nil
	}
	if len(d.fields) != 3 {
		return "", invalid("data", "The value of a CAA record is one text in quotes.")
	}
	texts, err := d.need(3)
	if err != nil {
		return "", err
	}
	content, ok := unescape(texts[2])
	if !ok {
		return "", d.kind.wrong()
	}
	return string(content), nil
}

// caaContent returns the value in canonical form, or what is wrong with it as a sentence.
func caaContent(tag, content string) (_, sentence string) {
	switch tag {
	case "issue", "issuewild", "issuemail", "issuevmc":
		return issuer(tag, content)
	case "iodef":
		u, err := url.Parse(content)
		if err != nil || u.Scheme != "mailto" && u.Scheme != "http" && u.Scheme != "https" {
			return "", "A CAA record with the tag iodef holds where to report to, such as mailto:security@example.org or https://example.org/report."
		}
	case "contactemail":
		if addr, err := mail.ParseAddress(content); err != nil || addr.Address != content {
			return "", "A CAA record with the tag contactemail holds a mail address."
		}
	case "contactphone":
		if strings.Trim(content, "+0123456789 -()") != "" || content == "" {
			return "", "A CAA record with the tag contactphone holds a telephone number, such as +1-555-0100."
		}
	default:
		return "", fmt.Sprintf("A CAA record's tag is issue, issuewild, issuemail, issuevmc, iodef, contactemail or contactphone; %s is none.", shown(tag))
	}
	if strings.ContainsFunc(content, func(r rune) bool { return r < ' ' || r > '~' }) {
		return "", "The value of a CAA record consists of printable ASCII characters."
	}
	return content, ""
}

// issuer reads an issue-value: the domain of a CA, or nothing, and parameters.
func issuer(tag, content string) (_, sentence string) {
	domain, parameters, more := strings.Cut(content, ";")
	domain = strings.ToLower(strings.TrimSpace(domain))
	if domain == "" && !more {
		return "", fmt.Sprintf(`A CAA record names a CA by its domain, such as 0 %s "letsencrypt.org", or forbids all with 0 %s ";".`, tag, tag)
	}
	if domain != "" && (nameFault(domain, false) != "" || !strings.Contains(domain, ".")) {
		return "", fmt.Sprintf("A CAA record names a CA by its domain, such as letsencrypt.org; %s is none.", shown(domain))
	}
	if !more {
		return domain, ""
	}
	var list []string
	for parameter := range strings.SplitSeq(parameters, ";") {
		parameter = strings.TrimSpace(parameter)
		if parameter == "" {
			continue
		}
		key, val, ok := strings.Cut(parameter, "=")
		key, val = strings.TrimSpace(key), strings.TrimSpace(val)
		if !ok || !parameterKey(key) || strings.ContainsFunc(val, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return "", fmt.Sprintf("Behind the CA stand parameters such as validationmethods=dns-01, separated by semicolons; %s is none.", shown(parameter))
		}
		list = append(list, key+"="+val)
	}
	if len(list) == 0 && domain != "" {
		return domain, ""
	}
	return strings.TrimSpace(domain + "; " + strings.Join(list, "; ")), ""
}

func parameterKey(key string) bool {
	return key != "" && !strings.Contains(key, "_") && labelFault(strings.ToLower(key), false) == ""
}
