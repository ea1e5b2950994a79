package accesslog

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

func TestRotationKeepsTheNewestLines(t *testing.T) {
	w := start(t, Config{SiteBytes: 5000})
	w.exist(1)
	for i := range 500 {
		w.visit(1, fmt.Sprintf("/%03d", i))
	}
	bytes, files := w.onDisk(1)
	if bytes > 5000 || bytes < 3000 || files != filesPerSite {
		t.Errorf("%d files of %d bytes together", files, bytes)
	}
	got := w.tail(1, 20)
	if len(got) != 20 || got[0] != "/480" || got[19] != "/499" {
		t.Errorf("the last lines, over several files, are %v", got)
	}
	all := w.tail(1, 5000)
	if len(all) < 30 || all[len(all)-1] != "/499" || !slices.IsSorted(all) {
		t.Errorf("all lines are %v", all)
	}
	if w.Stats().Bytes != bytes {
		t.Errorf("%d bytes are told of %d", w.Stats().Bytes, bytes)
	}
}

func TestALargePortionIsSpreadOverFiles(t *testing.T) {
	w := start(t, Config{SiteBytes: 5000})
	w.exist(1)
	var list []string
	for i := range 300 {
		list = append(list, fmt.Sprintf("/%03d", i))
	}
	w.visit(1, list...)
	w.visit(1, "/"+strings.Repeat("x", 3000))
	if bytes, files := w.onDisk(1); bytes > 5000+3100 || files > filesPerSite {
		t.Errorf("%d files of %d bytes together", files, bytes)
	}
}

func TestTheOldestOfAllSitesGoFirst(t *testing.T) {
	w := start(t, Config{SiteBytes: 10_000, TotalBytes: 12_000})
	w.exist(1, 2, 3)
	hit := hitOf(1, siteName(1), "/oldest")
	w.Take([]sites.Hit{hit})
	for i := range 400 {
		id := sites.SiteID(2 + i%2)
		hit := hitOf(id, siteName(id), fmt.Sprintf("/%03d", i))
		hit.Time = hit.Time.Add(time.Duration(i+1) * time.Second)
		w.Take([]sites.Hit{hit})
	}
	if got := w.tail(1, 10); len(got) != 0 {
		t.Errorf("the oldest line is still there: %v", got)
	}
	for id := range sites.SiteID(2) {
		if got := w.tail(id+2, 1); len(got) != 1 || got[0] != fmt.Sprintf("/%03d", 398+id) {
			t.Errorf("the newest line of site %d is %v", id+2, got)
		}
	}
	if n := w.Stats().Bytes; n > 12_000 {
		t.Errorf("all files take %d bytes", n)
	}
	w.visit(1, "/again")
	if got := w.tail(1, 10); !slices.Equal(got, []string{"/again"}) {
		t.Errorf("the site whose log went writes %v", got)
	}
}

func TestOpenFilesAreBounded(t *testing.T) {
	w := start(t, Config{})
	ids := make([]sites.SiteID, 3*maxOpen)
	for i := range ids {
		ids[i] = sites.SiteID(i + 1)
	}
	w.exist(ids...)
	for range 2 {
		for _, id := range ids {
			w.visit(id, "/")
		}
	}
	if w.shelf.open.Len() > maxOpen {
		t.Errorf("%d files are open", w.shelf.open.Len())
	}
	for _, id := range ids {
		if got := w.tail(id, 10); len(got) != 2 {
			t.Fatalf("site %d has %v", id, got)
		}
	}
}
