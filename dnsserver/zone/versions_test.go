package zone

import (
	"fmt"
	"runtime"
	"testing"
	"weak"

	"berth/sites"
)

// Parts of a version live on in those that follow. The version itself must not, nor what has been replaced since.
func TestFormerVersionsAreLetGo(t *testing.T) {
	primary, secondary := newZone(t, testConfig()), newSecondary(t, "example.test", plainZone)
	primary.Apply(full(1, siteNames(100)...))
	for name, c := range map[string]struct {
		zone   *Zone
		change func(i int)
	}{
		"primary": {primary, func(i int) {
			primary.Apply(sites.Change{Revision: int64(2 + i), Sites: published(fmt.Sprint("more", i))})
		}},
		"secondary": {secondary, func(i int) {
			const soa = "example.test. 3600 IN SOA ns1.example.test. admin.example.test. %d 3600 600 86400 300\n"
			added := fmt.Sprintf(soa+"more%d.example.test. 300 IN A 192.0.2.9\n", 11+i, i)
			if err := secondary.Patch(records(t, fmt.Sprintf(soa, 10+i)), records(t, added)); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		var former []weak.Pointer[Snapshot]
		for i := range 20 {
			former = append(former, weak.Make(c.zone.Current()))
			c.change(i)
		}
		runtime.GC()
		for i, version := range former {
			if version.Value() != nil {
				t.Errorf("%s: version %d of %d is kept", name, i, len(former))
			}
		}
	}
}
