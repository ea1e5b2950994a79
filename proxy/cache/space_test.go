package cache

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
)

func TestSpaceEndsAtOnce(t *testing.T) {
	f := start(t, 4<<20, says(strings.Repeat("x", 1000), "Cache-Control: max-age=60"))
	for i := range 100 {
		f.get(fmt.Sprint("/", i))
	}
	other := new(Space)
	old := f.space.Swap(other)
	f.get("/0")
	if n := f.Stats().Entries; n != 101 {
		t.Fatalf("%d entries", n)
	}
	f.End(old)
	f.space.Store(old)
	if got := f.get("/0"); got.status() == "hit" {
		t.Error("a space that is over still answers")
	}
	f.space.Store(other)
	if got := f.get("/0"); got.status() != "hit" {
		t.Errorf("the other space: %q", got.status())
	}
	eventually(t, "the memory is given back", func() bool { return f.Stats().Entries == 1 })
	if used := f.Stats().Bytes; used > 10_000 {
		t.Errorf("%d bytes are left", used)
	}
}

// What is under way when the space ends is not kept either.
func TestSpaceEndsBeneathAFetch(t *testing.T) {
	var f *front
	f = start(t, 1<<20, func(w http.ResponseWriter, r *http.Request) {
		put(w.Header(), []string{"Cache-Control: max-age=60"})
		if r.URL.Path == "/late" {
			f.End(f.space.Load())
		}
	})
	f.get("/")
	f.get("/late")
	eventually(t, "nothing is kept", func() bool { return f.Stats().Entries == 0 })
}

// However many different things are asked for, and in how many ways, the bound holds.
func TestMemoryBound(t *testing.T) {
	const most = 2 << 20
	f := start(t, most, func(w http.ResponseWriter, r *http.Request) {
		put(w.Header(), []string{"Cache-Control: max-age=60", "Vary: X-A", "Content-Type: text/html"})
		io.WriteString(w, strings.Repeat(r.URL.RawQuery, 300))
	})
	var asking sync.WaitGroup
	for worker := range 4 {
		asking.Go(func() {
			for i := range 1500 {
				query := fmt.Sprintf("/%d?q=%d", i%7, worker*10_000+i/2)
				if got := f.get(query, fmt.Sprintf("X-A: %d", i%20), "Accept-Encoding: gzip"); got.StatusCode != 200 {
					t.Errorf("%s: %d", query, got.StatusCode)
				}
				if used := f.Stats().Bytes; used > most+most/4 {
					t.Errorf("%d bytes are kept", used)
					return
				}
			}
		})
	}
	asking.Wait()
	s := f.Stats()
	if s.Bytes > most || s.Entries == 0 {
		t.Errorf("%+v", s)
	}
	var counted uint64
	for k, res := range f.store().All() {
		counted += uint64(weigh(k, res))
	}
	if counted > most {
		t.Errorf("what is kept takes %d bytes", counted)
	}
}

func TestOff(t *testing.T) {
	f := start(t, 0, says("hello", "Cache-Control: max-age=60", "CDN-Cache-Control: max-age=60"))
	for range 3 {
		if got := f.get("/"); got.body != "hello" || got.status() != "fwd=bypass" || got.Header.Get("CDN-Cache-Control") != "" {
			t.Errorf("%q %v", got.body, got.Header)
		}
	}
	if f.asked.Load() != 3 || f.entries.Load() != nil {
		t.Errorf("the origin was asked %d times", f.asked.Load())
	}
}

// What selects a response is the visitors' to write, and counts.
func TestSelectingFieldsCountForTheBound(t *testing.T) {
	f := start(t, 64<<20, says("hello", "Cache-Control: max-age=60", "Vary: X-A"))
	const requests, each = 20, 64 << 10
	for i := range requests {
		f.get(fmt.Sprint("/", i), "X-A: "+strings.Repeat("a", each))
	}
	if s := f.Stats(); s.Bytes < requests*each {
		t.Errorf("%d entries are said to take %d bytes", s.Entries, s.Bytes)
	}
}
