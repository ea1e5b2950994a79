package zonefile

import (
	"fmt"
	"strings"
)

func readCNAME(d *data) (value, error) { return d.pointer(true) }

func readNS(d *data) (value, error) { return d.pointer(false) }

func readPTR(d *data) (value, error) {
	// What an address is the address of is a host; elsewhere a PTR names a service instance (RFC 6763 section 4.1).
	return d.pointer(!strings.HasSuffix(d.owner, ".arpa"))
}

// pointer reads data that is a host name alone.
func (d *data) pointer(underscore bool) (value, error) {
	texts, err := d.need(1)
	if err != nil {
		return value{}, err
	}
	host, err := d.host(texts[0], underscore)
	if err != nil {
		return value{}, err
	}
	if d.kind.name == "CNAME" && host == d.owner {
		return value{}, invalid("data", "A CNAME record points at another name, not at its own.")
	}
	return value{host + ".", host}, nil
}

// readMX knows the null MX, too (RFC 7505).
func readMX(d *data) (value, error) {
	texts, err := d.need(2)
	if err != nil {
		return value{}, err
	}
	preference, err := d.number(texts[0], "The preference", 16)
	if err != nil {
		return value{}, err
	}
	if texts[1] == "." {
		if preference != 0 {
			return value{}, invalid("data", `An MX record that says that a name takes no mail is "0 .", with preference 0.`)
		}
		return value{data: "0 ."}, nil
	}
	host, err := d.host(texts[1], false)
	if err != nil {
		return value{}, err
	}
	return value{fmt.Sprintf("%d %s.", preference, host), host}, nil
}

// readSRV reads RFC 2782: the target "." says that the service is not offered.
func readSRV(d *data) (value, error) {
	texts, err := d.need(4)
	if err != nil {
		return value{}, err
	}
	var numbers [3]uint64
	for i, what := range []string{"The priority", "The weight", "The port"} {
		if numbers[i], err = d.number(texts[i], what, 16); err != nil {
			return value{}, err
		}
	}
	front := fmt.Sprintf("%d %d %d ", numbers[0], numbers[1], numbers[2])
	if texts[3] == "." {
		return value{data: front + "."}, nil
	}
	host, err := d.host(texts[3], false)
	if err != nil {
		return value{}, err
	}
	return value{front + host + ".", host}, nil
}
