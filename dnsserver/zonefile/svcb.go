package zonefile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/miekg/dns"
)

// readSVCB reads SVCB and HTTPS records (RFC 9460 section 2.1).
func readSVCB(d *data) (value, error) {
	texts, err := d.atLeast(2)
	if err != nil {
		return value{}, err
	}
	priority, err := d.number(texts[0], "The priority", 16)
	if err != nil {
		return value{}, err
	}
	host := ""
	if texts[1] != "." {
		if host, err = d.host(texts[1], true); err != nil {
			return value{}, err
		}
	}
	if priority == 0 && len(texts) > 2 {
		return value{}, invalid("data", "With priority 0, %s is an alias and holds no parameters behind the host.", lowerFirst(d.kind.article()))
	}
	rest := data{fields: d.fields[2:]}
	svcb, err := d.parseSVCB(priority, host, rest.raw())
	if err != nil {
		return value{}, err
	}
	return value{dataOf(svcb), host}, nil
}

// parseSVCB has the library read the parameters, and brings them into the order of RFC 9460 section 2.2.
func (d *data) parseSVCB(priority uint64, host, parameters string) (*dns.SVCB, error) {
	rr, err := dns.NewRR(fmt.Sprintf(". 300 IN SVCB %d %s. %s", priority, host, parameters))
	svcb, ok := rr.(*dns.SVCB)
	if err != nil || !ok {
		return nil, badParameters(parameters)
	}
	slices.SortStableFunc(svcb.Value, func(a, b dns.SVCBKeyValue) int { return cmp.Compare(a.Key(), b.Key()) })
	if sentence := parameterFault(svcb.Value); sentence != "" {
		return nil, invalid("data", "%s", sentence)
	}
	if _, err := dns.PackRR(svcb, make([]byte, dns.MaxMsgSize), 0, nil, false); err != nil {
		return nil, badParameters(parameters)
	}
	return svcb, nil
}

func badParameters(text string) error {
	return invalid("data", `The parameters %s are not valid. They are pairs such as alpn="h2,h3" port="8443" ipv4hint="192.0.2.10".`, shown(text))
}

// parameterFault holds the rules of RFC 9460 sections 2.2, 7.1.1 and 8 on parameters in key order.
func parameterFault(values []dns.SVCBKeyValue) string {
	keys := make([]dns.SVCBKey, len(values))
	for i, v := range values {
		keys[i] = v.Key()
		if i > 0 && keys[i-1] == keys[i] {
			return fmt.Sprintf("The parameter %s can be given once only.", keys[i])
		}
		if sentence := emptyFault(v); sentence != "" {
			return sentence
		}
	}
	if slices.Contains(keys, dns.SVCB_NO_DEFAULT_ALPN) && !slices.Contains(keys, dns.SVCB_ALPN) {
		return "The parameter no-default-alpn needs alpn beside it."
	}
	if len(values) > 0 && keys[0] == dns.SVCB_MANDATORY {
		return mandatoryFault(values[0].(*dns.SVCBMandatory), keys[1:])
	}
	return ""
}

// emptyFault refuses parameters without the value that they need.
func emptyFault(v dns.SVCBKeyValue) string {
	switch v.Key() {
	case dns.SVCB_ALPN, dns.SVCB_PORT, dns.SVCB_IPV4HINT, dns.SVCB_IPV6HINT, dns.SVCB_ECHCONFIG, dns.SVCB_MANDATORY:
		if v.String() == "" {
			return fmt.Sprintf("The parameter %s needs a value.", v.Key())
		}
	}
	return ""
}

// mandatoryFault checks the keys that a client must know; others are those that the record has beside it.
func mandatoryFault(m *dns.SVCBMandatory, others []dns.SVCBKey) string {
	slices.Sort(m.Code)
	for i, key := range m.Code {
		switch {
		case key == dns.SVCB_MANDATORY:
			return "The parameter mandatory cannot name itself."
		case i > 0 && m.Code[i-1] == key:
			return fmt.Sprintf("The parameter mandatory names %s twice.", key)
		case !slices.Contains(others, key):
			return "The parameter mandatory can name only parameters that the record holds."
		}
	}
	return ""
}

func lowerFirst(text string) string { return strings.ToLower(text[:1]) + text[1:] }
