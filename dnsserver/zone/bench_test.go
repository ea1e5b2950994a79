package zone

import (
	"runtime"
	"testing"
	"time"

	"berth/sites"
)

// BenchmarkFullChange is a full change of 10,000 sites into an empty zone, signed and not. It tells the memory that a site's name
// takes, too.
func BenchmarkFullChange(b *testing.B) {
	const count = 10_000
	c := &clock{time.Now()}
	names := siteNames(count)
	signed := signedBy(1, newKeyPlan(b, 1, sites.KeySigning, c.at), newKeyPlan(b, 2, sites.ZoneSigning, c.at)).Zones
	for name, zones := range map[string][]sites.PublishedZone{"signed": signed, "unsigned": nil} {
		b.Run(name, func(b *testing.B) {
			cfg := testConfig()
			cfg.Now = c.now
			var z *Zone
			before := heapInUse()
			b.ReportAllocs()
			for b.Loop() {
				z = newZone(b, cfg)
				ch := full(1, names...)
				ch.Zones = zones
				z.Apply(ch)
			}
			b.ReportMetric(float64(heapInUse()-before)/count, "B/name")
			runtime.KeepAlive(z)
		})
	}
}

func heapInUse() uint64 {
	var stats runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

// BenchmarkChange is a site that comes and goes in a signed zone.
func BenchmarkChange(b *testing.B) {
	z := newSignedZone(b, &clock{time.Now()}, siteNames(10_000)...)
	come := sites.Change{Sites: published("site-of-mine")}
	leave := sites.Change{Gone: come.Sites[0].Hosts}
	b.ReportAllocs()
	for b.Loop() {
		z.Apply(come)
		z.Apply(leave)
	}
}
