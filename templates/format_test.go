package templates

import (
	"math"
	"slices"
	"testing"
	"time"
)

func TestAgo(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "just now", 59 * time.Second: "just now", -59 * time.Second: "just now", time.Minute: "1 minute ago", 59 * time.Minute: "59 minutes ago",
		time.Hour: "1 hour ago", 47 * time.Hour: "47 hours ago", 48 * time.Hour: "2 days ago", 59 * day: "59 days ago", 60 * day: "2 months ago",
		729 * day: "24 months ago", 730 * day: "2 years ago", -3 * day: "in 3 days", -90 * time.Minute: "in 1 hour",
	} {
		if got := ago(noon, noon.Add(-d)); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	if got := ago(noon, time.Time{}); got != "never" {
		t.Errorf("the zero time: %q", got)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{
		-5: "0 bytes", 0: "0 bytes", 1: "1 byte", 1023: "1,023 bytes", 1024: "1 KB", 1536: "1.5 KB", 1<<20 - 1: "1 MB", 1 << 20: "1 MB",
		150 << 20: "150 MB", 2 << 30: "2 GB", 2560 << 20: "2.5 GB", math.MaxInt64: "8192 PB",
	} {
		if got := size(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestNumber(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", -1000: "-1,000", math.MinInt64: "-9,223,372,036,854,775,808"} {
		if got := number(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestShares(t *testing.T) {
	if got := share(1, 0); got != 0 {
		t.Errorf("of nothing: %v", got)
	}
	if got := share(3, 2); got != 100 {
		t.Errorf("more than all: %v", got)
	}
	if got := percent(math.NaN()); got != "0 %" {
		t.Errorf("no number: %q", got)
	}
}

func TestSerial(t *testing.T) {
	for in, want := range map[string]string{"": "", "a": "0A", "04a3": "04:A3"} {
		if got := serial(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestHost(t *testing.T) {
	for in, want := range map[string]string{"https://a.b:8443/x": "a.b:8443", "a.b": "a.b", "": ""} {
		if got := host(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestTailsOfferWhatIsShown(t *testing.T) {
	for shown, want := range map[int][]int{0: {100, 500, 2000}, 100: {100, 500, 2000}, 50: {50, 100, 500, 2000}, 300: {100, 300, 500, 2000}, 5000: {100, 500, 2000, 5000}} {
		if got := tails(shown); !slices.Equal(got, want) {
			t.Errorf("%d: %v, want %v", shown, got, want)
		}
	}
}
