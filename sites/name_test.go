package sites_test

import (
	"errors"
	"strings"
	"testing"

	"berth/sites"
)

func TestNames(t *testing.T) {
	names := sites.NewNames("z.example", "z.example", "dash.z.example", "a.dns9.z.example", "ns.elsewhere.example")
	for input, want := range map[string]string{
		"hello":                 "hello",
		" Hello ":               "hello",
		"a":                     "a",
		"4-2":                   "4-2",
		"elsewhere":             "elsewhere",
		"xn--bcher-kva":         "xn--bcher-kva", // bücher
		strings.Repeat("a", 63): strings.Repeat("a", 63),
	} {
		if got, err := names.Parse(input); err != nil || got != want {
			t.Errorf("Parse(%q) = %q, %v", input, got, err)
		}
	}
	for input, want := range map[string]error{
		"":                      sites.ErrInvalid,
		"-a":                    sites.ErrInvalid,
		"a-":                    sites.ErrInvalid,
		"a.b":                   sites.ErrInvalid,
		"a b":                   sites.ErrInvalid,
		"bücher":                sites.ErrInvalid,
		"_dmarc":                sites.ErrInvalid,
		"ab--c":                 sites.ErrInvalid,
		"xn--a":                 sites.ErrInvalid,
		"xn--hello-":            sites.ErrInvalid,
		strings.Repeat("a", 64): sites.ErrInvalid,
		"www":                   sites.ErrReserved,
		"NS1":                   sites.ErrReserved,
		"ns42":                  sites.ErrReserved,
		"mail":                  sites.ErrReserved,
		"dash":                  sites.ErrReserved,
		"dns9":                  sites.ErrReserved,
	} {
		if got, err := names.Parse(input); !errors.Is(err, want) {
			t.Errorf("Parse(%q) = %q, %v; want %v", input, got, err, want)
		}
	}
}
