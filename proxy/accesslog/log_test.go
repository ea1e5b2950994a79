package accesslog

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"berth/sites"
)

func TestEachSiteHasItsOwnLog(t *testing.T) {
	w := start(t, Config{})
	w.exist(1, 2)
	w.visit(1, "/a", "/b")
	w.visit(2, "/c")
	w.visit(1, "/d")
	if got := w.tail(1, 2); !slices.Equal(got, []string{"/b", "/d"}) {
		t.Errorf("the last two of site 1 are %v", got)
	}
	if got := w.tail(2, 100); !slices.Equal(got, []string{"/c"}) {
		t.Errorf("those of site 2 are %v", got)
	}
	if got := w.tail(3, 100); len(got) != 0 {
		t.Errorf("those of a site that nobody has visited are %v", got)
	}
	if info, err := os.Stat(filepath.Join(w.dir, "logs")); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others may see the directory: %v, %v", info.Mode(), err)
	}
}

func TestLogsGoWithTheirSites(t *testing.T) {
	w := start(t, Config{})
	w.exist(1, 2, 3)
	for id := sites.SiteID(1); id <= 3; id++ {
		w.visit(id, "/")
	}
	w.Apply(sites.Change{Gone: []string{"site1.example.org"}})
	eventually(t, "the log of site 1 goes", func() bool { _, files := w.onDisk(1); return files == 0 })
	w.visit(1, "/late")
	if _, files := w.onDisk(1); files != 0 {
		t.Error("a request that ended late brought the log back")
	}
	w.stop()

	// The process was away while site 2 went.
	again := start(t, Config{DataDir: w.dir})
	again.exist(3)
	eventually(t, "the log of site 2 goes", func() bool { _, files := again.onDisk(2); return files == 0 })
	again.visit(3, "/more")
	if got := again.tail(3, 10); !slices.Equal(got, []string{"/", "/more"}) {
		t.Errorf("over the restart site 3 has %v", got)
	}
	if bytes, _ := again.onDisk(3); again.Stats().Bytes != bytes {
		t.Errorf("%d bytes are told of %d", again.Stats().Bytes, bytes)
	}
}

func TestASiteMadeAnewSeesNothingOfTheOld(t *testing.T) {
	w := start(t, Config{})
	w.exist(1)
	w.visit(1, "/secret")
	w.Apply(sites.Change{
		Gone:  []string{"site1.example.org"},
		Sites: []sites.Published{{ID: 9, Name: "site1", Hosts: []string{"site1.example.org"}}},
	})
	w.Take([]sites.Hit{hitOf(9, "site1", "/mine")})
	if got := w.tail(9, 10); !slices.Equal(got, []string{"/mine"}) {
		t.Errorf("the new site sees %v", got)
	}
	eventually(t, "the old log goes", func() bool { return len(w.tail(1, 10)) == 0 })
}
