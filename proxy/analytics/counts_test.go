package analytics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"berth/sites"
)

// kept is a Store in memory.
type kept struct {
	mu     sync.Mutex
	broken error
	hours  map[span]sites.TrafficPart
	writes int
	tries  int
	pruned []time.Time
}

func newKept() *kept { return &kept{hours: make(map[span]sites.TrafficPart)} }

func (k *kept) AddTraffic(ctx context.Context, parts []sites.TrafficPart) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.tries++
	if err := errors.Join(k.broken, ctx.Err()); err != nil {
		return err
	}
	k.writes++
	for _, p := range parts {
		at := span{p.Site, p.At.Unix() / 3600}
		sum, known := k.hours[at]
		if !known {
			k.hours[at] = p
			continue
		}
		sum.Add(p.Traffic)
		sum.DayVisitors += p.DayVisitors
		sum.Paths.Merge(p.Paths)
		sum.Referrers.Merge(p.Referrers)
		k.hours[at] = sum
	}
	return nil
}

func (k *kept) PruneTraffic(_ context.Context, hours, days time.Time) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pruned = append(k.pruned, hours, days)
	return nil
}

// counted tells how many writes have succeeded, of how many tries.
func (k *kept) counted() (writes, tries int) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.writes, k.tries
}

func (k *kept) setBroken(err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.broken = err
}

// hour is what is kept of an hour; the zero part if nothing is.
func (k *kept) hour(site sites.SiteID, at time.Time) sites.TrafficPart {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.hours[span{site, at.Unix() / 3600}]
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

func newCounts() (*Counts, *kept) {
	store := newKept()
	return New(Config{Store: store, Logger: discard()}), store
}

// keepNow is what Run does each minute.
func (c *Counts) keepNow(t *testing.T, now time.Time) {
	t.Helper()
	if err := c.store.AddTraffic(t.Context(), c.withdraw(now)); err != nil {
		t.Fatal(err)
	}
}

var noon = time.Date(2026, 3, 14, 12, 0, 0, 0, time.UTC)

func hitAt(at time.Time, client, path string) sites.Hit {
	return sites.Hit{
		Site: 1, Host: "shop.example.org", Time: at, Client: netip.MustParseAddr(client), Target: path, Status: 200, Bytes: 10, UserAgent: "tester",
	}
}

func TestHitsAreCounted(t *testing.T) {
	c, store := newCounts()
	missing, failed, other := hitAt(noon, "192.0.2.1", "/no"), hitAt(noon, "192.0.2.2", "/broken"), hitAt(noon, "192.0.2.1", "/")
	missing.Status, failed.Status, other.Site = 404, 502, 2
	c.Take([]sites.Hit{hitAt(noon, "192.0.2.1", "/a?q=1"), hitAt(noon, "192.0.2.1", "/a"), hitAt(noon, "192.0.2.1", "/b"), missing, failed, other})
	c.keepNow(t, noon)
	got := store.hour(1, noon)
	want := sites.Traffic{At: noon, Requests: 5, Bytes: 50, Visitors: 2, Classes: [5]int64{0, 3, 0, 1, 1}}
	if got.Traffic != want || got.DayVisitors != 2 {
		t.Errorf("kept is %+v, %d visitors of the day; want %+v", got.Traffic, got.DayVisitors, want)
	}
	if paths := got.Paths.Top(10); !slices.Equal(paths, []sites.Rank{{Key: "/a", Count: 2}, {Key: "/b", Count: 1}}) {
		t.Errorf("the paths are %v", paths)
	}
	if n := store.hour(2, noon).Requests; n != 1 {
		t.Errorf("the other site has %d requests", n)
	}
}

// TestHoursAndDaysAreOfUTC counts around the hours that clocks in Berlin are set: there, one is missing and one is there twice.
func TestHoursAndDaysAreOfUTC(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip(err)
	}
	for _, day := range []time.Time{time.Date(2026, 3, 29, 0, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 0, 0, 0, 0, time.UTC)} {
		c, store := newCounts()
		for hour := range 24 {
			c.Take([]sites.Hit{hitAt(day.Add(time.Duration(hour)*time.Hour+59*time.Minute).In(berlin), "192.0.2.1", "/")})
		}
		c.keepNow(t, day)
		dayVisitors := int64(0)
		for hour := range 24 {
			part := store.hour(1, day.Add(time.Duration(hour)*time.Hour))
			if part.Requests != 1 || part.Visitors != 1 {
				t.Errorf("hour %d of %s has %d requests, %d visitors", hour, day.Format(time.DateOnly), part.Requests, part.Visitors)
			}
			dayVisitors += part.DayVisitors
		}
		if len(store.hours) != 24 || dayVisitors != 1 {
			t.Errorf("%s has %d hours, %d visitors", day.Format(time.DateOnly), len(store.hours), dayVisitors)
		}
	}
}

func TestALongRequestCountsWhenItEnds(t *testing.T) {
	c, store := newCounts()
	hit := hitAt(noon, "192.0.2.1", "/socket")
	hit.Duration = 3 * time.Hour
	c.Take([]sites.Hit{hit})
	c.keepNow(t, noon)
	if n := store.hour(1, noon.Add(3*time.Hour)).Requests; n != 1 {
		t.Errorf("kept is %+v", store.hours)
	}
}

func TestVisitors(t *testing.T) {
	other := hitAt(noon, "192.0.2.1", "/")
	other.UserAgent = "another browser"
	unknown := hitAt(noon, "192.0.2.1", "/")
	unknown.Client = netip.Addr{}
	for what, tc := range map[string]struct {
		hits []sites.Hit
		want int64
	}{
		"the same person twice":          {[]sites.Hit{hitAt(noon, "192.0.2.1", "/"), hitAt(noon, "192.0.2.1", "/a")}, 1},
		"two addresses":                  {[]sites.Hit{hitAt(noon, "192.0.2.1", "/"), hitAt(noon, "192.0.2.2", "/")}, 2},
		"two browsers at one address":    {[]sites.Hit{hitAt(noon, "192.0.2.1", "/"), other}, 2},
		"one IPv6 network":               {[]sites.Hit{hitAt(noon, "2001:db8::1", "/"), hitAt(noon, "2001:db8::ffff:2", "/")}, 1},
		"two IPv6 networks":              {[]sites.Hit{hitAt(noon, "2001:db8::1", "/"), hitAt(noon, "2001:db8:0:1::1", "/")}, 2},
		"no address":                     {[]sites.Hit{unknown, unknown}, 1},
		"a little late, after the hour":  {[]sites.Hit{hitAt(noon, "192.0.2.1", "/"), hitAt(noon.Add(-time.Second), "192.0.2.1", "/")}, 1},
		"the same person, kept between":  {[]sites.Hit{hitAt(noon, "192.0.2.1", "/"), {}, hitAt(noon, "192.0.2.1", "/")}, 1},
		"another person, kept between":   {[]sites.Hit{hitAt(noon, "192.0.2.1", "/"), {}, hitAt(noon, "192.0.2.3", "/")}, 2},
		"the same person an hour later":  {[]sites.Hit{hitAt(noon, "192.0.2.1", "/"), hitAt(noon.Add(time.Hour), "192.0.2.1", "/")}, 1},
		"the same person on another day": {[]sites.Hit{hitAt(noon, "192.0.2.1", "/"), hitAt(noon.Add(24*time.Hour), "192.0.2.1", "/")}, 2},
	} {
		t.Run(what, func(t *testing.T) {
			c, store := newCounts()
			for _, hit := range tc.hits {
				if hit.Site == 0 {
					c.keepNow(t, noon)
					continue
				}
				c.Take([]sites.Hit{hit})
			}
			c.keepNow(t, noon)
			got := int64(0)
			for _, part := range store.hours {
				got += part.DayVisitors
			}
			if got != tc.want {
				t.Errorf("%d visitors, want %d", got, tc.want)
			}
		})
	}
}

func TestTheSaltLivesForADay(t *testing.T) {
	c, _ := newCounts()
	hit := hitAt(noon, "192.0.2.1", "/")
	day := noon.Unix() / 3600 / 24
	first := c.visitor(&hit, day)
	if c.visitor(&hit, day) != first {
		t.Error("on one day a visitor has two numbers")
	}
	if c.visitor(&hit, day+1) == first {
		t.Error("on the next day the visitor has the same number")
	}
	if c.visitor(&hit, day) == first {
		t.Error("the salt of yesterday has come back")
	}
	again, _ := newCounts()
	if again.visitor(&hit, day) == first {
		t.Error("another process gives the visitor the same number")
	}
}

func TestReferrers(t *testing.T) {
	for referrer, want := range map[string]string{
		"https://News.Example.com/a?b#c":            "news.example.com",
		"http://other.test":                         "other.test",
		"https://other.test:8443/":                  "other.test",
		"https://user:secret@other.test/":           "other.test",
		"https://[2001:db8::1]:443/":                "[2001:db8::1]",
		"https://shop.example.org/page":             "", // the site itself
		"https://other.test./":                      "other.test",
		"":                                          "",
		"other.test":                                "",
		"android-app://com.example":                 "",
		"javascript://other.test":                   "",
		"https://":                                  "",
		"https://a b/":                              "",
		"https://<script>/":                         "",
		"https://" + strings.Repeat("a", 300) + "/": "",
	} {
		if got := referrerOf(referrer, "shop.example.org"); got != want {
			t.Errorf("%q leads from %q, want %q", referrer, got, want)
		}
	}
}

// TestAFloodTakesBoundedMemory has one site asked for ever new paths by ever new visitors, from ever new sites, among one that is asked for often.
func TestAFloodTakesBoundedMemory(t *testing.T) {
	c, store := newCounts()
	for i := range 50_000 {
		hit := hitAt(noon, fmt.Sprintf("10.%d.%d.%d", i>>16, i>>8&255, i&255), fmt.Sprintf("/%d%s", i, strings.Repeat("x", 1000)))
		hit.Referrer = fmt.Sprintf("https://s%d.example.com/", i)
		c.Take([]sites.Hit{hit})
		if i%10 == 0 {
			c.Take([]sites.Hit{hitAt(noon, "192.0.2.1", "/often")})
		}
	}
	if c.ranked > 2*sites.MaxRanking {
		t.Errorf("%d paths and referrers wait", c.ranked)
	}
	c.keepNow(t, noon)
	part := store.hour(1, noon)
	if paths := part.Paths.Top(1); paths[0].Key != "/often" || paths[0].Sure() < 4000 || paths[0].Count < 5000 {
		t.Errorf("of all paths the first is %+v", paths)
	}
	for _, rank := range part.Paths.Top(sites.MaxRanking) {
		if len(rank.Key) > maxKey+len("…") {
			t.Errorf("a path of %d bytes is kept", len(rank.Key))
		}
	}
	if part.Requests != 55_000 || part.DayVisitors < 43_000 || part.DayVisitors > 57_000 {
		t.Errorf("%d requests, %d visitors", part.Requests, part.DayVisitors)
	}
}

func TestAFloodOverManySitesIsBounded(t *testing.T) {
	c, _ := newCounts()
	for site := range 3000 {
		for i := range 50 {
			hit := hitAt(noon, "192.0.2.1", fmt.Sprintf("/%d", i))
			hit.Site = sites.SiteID(site + 1)
			c.Take([]sites.Hit{hit})
		}
	}
	if c.ranked > maxRanked {
		t.Errorf("%d paths wait", c.ranked)
	}
	select {
	case <-c.full:
	default:
		t.Error("nobody is told that it is time to keep")
	}
	requests := int64(0)
	for part := range maps.Values(c.waiting) {
		requests += part.Requests
	}
	if requests != 3000*50 {
		t.Errorf("%d requests are counted", requests)
	}
}

func TestSitesThatNobodyVisitsAreForgotten(t *testing.T) {
	c, _ := newCounts()
	c.Take([]sites.Hit{hitAt(noon, "192.0.2.1", "/")})
	c.keepNow(t, noon)
	if len(c.sites) != 1 {
		t.Errorf("%d sites are known on the day", len(c.sites))
	}
	c.keepNow(t, noon.Add(24*time.Hour))
	if len(c.sites) != 0 {
		t.Errorf("%d sites are known on the next day", len(c.sites))
	}
}

func TestCountsAreKeptEachMinuteAndAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, store := newCounts()
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.Run(ctx); close(ended) }()
		now := time.Now()
		c.Take([]sites.Hit{hitAt(now, "192.0.2.1", "/")})
		time.Sleep(59 * time.Second)
		synctest.Wait()
		if writes, _ := store.counted(); writes != 0 {
			t.Errorf("%d writes in the first minute", writes)
		}
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if writes, _ := store.counted(); writes != 1 || store.hour(1, now).Requests != 1 {
			t.Errorf("%d writes, kept is %+v", writes, store.hour(1, now))
		}
		c.Take([]sites.Hit{hitAt(now, "192.0.2.1", "/")})
		stop()
		<-ended
		if writes, _ := store.counted(); writes != 2 || store.hour(1, now).Requests != 2 || store.hour(1, now).Visitors != 1 {
			t.Errorf("after the end %d writes, kept is %+v", writes, store.hour(1, now))
		}
	})
}

func TestWhatCannotBeKeptWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, store := newCounts()
		store.setBroken(errors.New("disk full"))
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { c.Run(ctx); close(ended) }()
		now := time.Now()
		for range 5 {
			c.Take([]sites.Hit{hitAt(now, "192.0.2.1", "/a")})
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if writes, tries := store.counted(); tries < 4 || writes != 0 {
			t.Errorf("%d tries, %d writes", tries, writes)
		}
		store.setBroken(nil)
		time.Sleep(time.Minute)
		synctest.Wait()
		got := store.hour(1, now)
		if got.Requests != 5 || got.Visitors != 1 || got.DayVisitors != 1 || !slices.Equal(got.Paths.Top(5), []sites.Rank{{Key: "/a", Count: 5}}) {
			t.Errorf("kept is %+v with %v", got, got.Paths.Top(5))
		}
		stop()
		<-ended
	})
}

func TestOldTrafficIsPruned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, store := newCounts()
		ctx, stop := context.WithCancel(t.Context())
		go c.Run(ctx)
		begin := time.Now()
		synctest.Wait()
		time.Sleep(25 * time.Hour)
		synctest.Wait()
		store.mu.Lock()
		defer store.mu.Unlock()
		if n := len(store.pruned) / 2; n < 4 || n > 6 {
			t.Errorf("pruned %d times in 25 hours", n)
		}
		if !store.pruned[0].Equal(begin.AddDate(0, 0, -90)) || begin.Sub(store.pruned[1]) < 25*30*24*time.Hour {
			t.Errorf("hours go before %s, days before %s", store.pruned[0], store.pruned[1])
		}
		stop()
	})
}
