package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestKilledAtRandomPoints kills berth with SIGKILL while sites are created, uploaded to, rolled back and deleted, and looks after each
// start whether every site is either before or after what was asked, with nothing in between and nothing left over.
func TestKilledAtRandomPoints(t *testing.T) {
	skipShort(t)
	for _, tc := range []struct {
		runtime string
		kills   int
		within  time.Duration // of a start
	}{
		{"embedded", 50, 150 * time.Millisecond},
		{"docker", 12, 3 * time.Second},
	} {
		t.Run(tc.runtime, func(t *testing.T) {
			if tc.runtime == "docker" {
				needDocker(t)
			}
			p := startBerth(t, "--runtime", tc.runtime, "--acme-ca", "internal", "--certificates", "wildcard", "--network-pool", "10.87.0.0/20")
			killRepeatedly(t, p, tc.kills, tc.within)
		})
	}
}

func killRepeatedly(t *testing.T, p *process, kills int, within time.Duration) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	w := &world{t: t, p: p, sites: map[string]*expectation{}}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d; asked for in the last round:\n%s", seed, strings.Join(w.trail, "\n"))
		}
	})
	for round := range kills {
		done := make(chan struct{})
		go func() {
			defer close(done)
			w.change(rand.New(rand.NewPCG(seed, uint64(round)+1)))
		}()
		select {
		case <-time.After(time.Duration(random.Int64N(int64(within)))):
		case <-done:
			t.Fatal("the changes ended by themselves")
		}
		p.kill()
		<-done
		if random.IntN(4) == 0 { // while it boots, too
			p.start()
			<-time.After(time.Duration(random.IntN(50)) * time.Millisecond)
			p.kill()
		}
		p.start()
		p.awaitReady()
		w.check(round)
	}
	w.containers(p.client(nil), kills, "-aq") // with those that were never started
	t.Logf("%d changes were answered, %d were cut off", w.answered, w.cutOff)
	if w.answered == 0 || w.cutOff == 0 {
		t.Errorf("%d changes were answered and %d cut off; the test needs both", w.answered, w.cutOff)
	}
}

// world asks for changes and remembers what must have come true.
type world struct {
	t                *testing.T
	p                *process
	sites            map[string]*expectation
	answered, cutOff int
	trail            []string // what was asked for since the last start, and how it was answered
}

// expectation is what may be seen of a site.
type expectation struct {
	known   bool            // the last change of its existence was answered
	exists  bool            // as that answer says
	pages   map[string]bool // what its front page may say; "" is the placeholder
	first   string          // what release 1 says, where that was answered
	unclear bool            // any page, because nobody was told what was activated
}

const worldSites = 6

func (w *world) site(name string) *expectation {
	if w.sites[name] == nil {
		w.sites[name] = &expectation{known: true}
		w.sites[name].reset()
	}
	return w.sites[name]
}

// reset is a site that was just made.
func (e *expectation) reset() { e.pages, e.first, e.unclear = map[string]bool{"": true}, "", false }

// change asks for one change after another until berth is gone.
func (w *world) change(random *rand.Rand) {
	client := w.p.client(nil)
	defer client.CloseIdleConnections()
	w.trail = nil
	for err := error(nil); err == nil; {
		name := fmt.Sprint("site", random.IntN(worldSites))
		switch random.IntN(8) {
		case 0, 1, 2:
			err = w.create(client, name)
		case 3, 4:
			err = w.upload(client, name, "", random)
		case 5:
			err = w.upload(client, name, "?wait=live", random)
		case 6:
			err = w.activate(client, name)
		default:
			err = w.remove(client, name)
		}
	}
}

// ask asks for one change. An error means that it was cut off.
func (w *world) ask(client *http.Client, method, path string, body any) (status int, text []byte, err error) {
	if status, text, err = w.p.call(client, method, path, body); err != nil {
		w.cutOff++
		w.trail = append(w.trail, method+" "+path+" was cut off")
		return 0, nil, err
	}
	w.trail = append(w.trail, fmt.Sprintf("%s %s: %d %.80s", method, path, status, text))
	w.answered++
	return status, text, nil
}

func (w *world) create(client *http.Client, name string) error {
	e := w.site(name)
	e.known = false
	status, _, err := w.ask(client, "POST", "/sites", map[string]string{"name": name})
	switch {
	case err != nil:
		e.pages[""] = true
		return err
	case status == http.StatusCreated:
		e.known, e.exists = true, true
		e.reset()
	case status == http.StatusConflict:
		e.known, e.exists = true, true
	}
	return nil
}

func (w *world) remove(client *http.Client, name string) error {
	e := w.site(name)
	e.known = false
	status, _, err := w.ask(client, "DELETE", "/sites/"+name, nil)
	if err != nil {
		return err
	}
	if status == http.StatusNoContent || status == http.StatusNotFound {
		e.known, e.exists = true, false
		e.reset()
	}
	return nil
}

// upload sends a zip whose files all say the same, so that a mixture shows.
func (w *world) upload(client *http.Client, name, query string, random *rand.Rand) error {
	e := w.site(name)
	content := fmt.Sprint("version ", random.Uint64())
	zip := zipped(w.t, "index.html", content, "copy.html", content, "sub/copy.html", content)
	status, text, err := w.ask(client, "POST", "/sites/"+name+"/releases"+query, zip)
	if err != nil {
		e.pages[content] = true
		return err
	}
	if status != http.StatusCreated {
		return nil
	}
	e.pages, e.unclear = map[string]bool{content: true}, false
	var release struct{ ID int }
	if err := json.Unmarshal(text, &release); err == nil && release.ID == 1 {
		e.first = content
	}
	return nil
}

func (w *world) activate(client *http.Client, name string) error {
	e := w.site(name)
	status, _, err := w.ask(client, "POST", "/sites/"+name+"/releases/1/activate", nil)
	switch {
	case err != nil && e.first != "":
		e.pages[e.first] = true
	case err == nil && status == http.StatusAccepted && e.first != "":
		e.pages, e.unclear = map[string]bool{e.first: true}, false
	case err != nil || status == http.StatusAccepted:
		e.unclear = true
	}
	return err
}

// check compares what was answered, the API's view, DNS, HTTPS, the files and the containers with each other.
func (w *world) check(round int) {
	client := w.p.client(nil)
	defer client.CloseIdleConnections()
	var list []listedSite
	w.p.api(client, "GET", "/sites", nil, http.StatusOK, &list)
	for i := range worldSites {
		name := fmt.Sprint("site", i)
		e := w.site(name)
		found := slices.ContainsFunc(list, func(s listedSite) bool { return s.Name == name })
		if e.known && e.exists != found {
			w.t.Fatalf("round %d: %s was answered for (exists: %v), and after the kill exists is %v", round, name, e.exists, found)
		}
		e.known, e.exists = true, found
		if !found {
			w.gone(round, name)
			e.reset()
			continue
		}
		eventually(w.t, time.Minute, fmt.Sprintf("round %d: %s is as before or as after", round, name), func() error {
			return w.settled(client, name, e)
		})
	}
	w.files(client, round)
	w.containers(client, round, "-q")
}

// containers waits until the engine has one container of ours for each running site and no other, of those that docker ps lists
// with the flag.
func (w *world) containers(client *http.Client, round int, which string) {
	if !slices.Contains(w.p.args, "docker") {
		return
	}
	label := w.p.engineLabel()
	eventually(w.t, 2*time.Minute, fmt.Sprintf("round %d: the containers are those of the sites", round), func() error {
		var list []listedSite
		w.p.api(client, "GET", "/sites", nil, http.StatusOK, &list)
		want := 0
		for _, s := range list {
			if s.State == "running" {
				want++
			}
		}
		out, err := exec.Command("docker", "ps", which, "--filter", label).CombinedOutput()
		if have := len(strings.Fields(string(out))); err != nil || have != want {
			return fmt.Errorf("%d containers for %d running sites, %w", have, want, err)
		}
		return nil
	})
}

type listedSite struct {
	Name          string
	State         string
	ActiveRelease *struct{ ID int } `json:"active_release"`
}

func (w *world) gone(round int, name string) {
	if _, err := w.p.resolver().LookupHost(w.t.Context(), name+"."+testZone+"."); err == nil {
		w.t.Errorf("round %d: %s has no site and a name", round, name)
	}
}

// settled reports whether the site serves one version that it may, whole, or its placeholder where it may be empty.
func (w *world) settled(client *http.Client, name string, e *expectation) error {
	var site listedSite
	w.p.api(client, "GET", "/sites/"+name, nil, http.StatusOK, &site)
	page := ""
	switch {
	case site.State == "empty" && site.ActiveRelease == nil:
		if err := checkPage(client, w.p.url(name, "/"), http.StatusOK, ""); err != nil {
			return err
		}
	case site.State != "running" || site.ActiveRelease == nil:
		return fmt.Errorf("%+v", site)
	default:
		var err error
		if page, err = w.whole(client, name); err != nil {
			return err
		}
	}
	if !e.pages[page] && !e.unclear {
		return fmt.Errorf("it says %q and may say %q", page, slices.Collect(maps.Keys(e.pages)))
	}
	return nil
}

// whole reads all files of the site's release, which must say the same.
func (w *world) whole(client *http.Client, name string) (string, error) {
	var versions []string
	for _, path := range []string{"/", "/copy", "/sub/copy"} {
		status, body, err := get(client, w.p.url(name, path))
		if err != nil || status != http.StatusOK || !strings.HasPrefix(body, "version ") {
			return "", fmt.Errorf("%s: status %d, %w: %s", path, status, err, body)
		}
		versions = append(versions, body)
	}
	if len(slices.Compact(slices.Clone(versions))) != 1 {
		return "", fmt.Errorf("a mixture is served: %v", versions)
	}
	return versions[0], nil
}

// files waits until the content directory holds what the API lists and nothing else.
func (w *world) files(client *http.Client, round int) {
	eventually(w.t, time.Minute, fmt.Sprintf("round %d: the files are those of the releases", round), func() error {
		if left, err := os.ReadDir(filepath.Join(w.p.dir, "uploads")); err != nil || len(left) > 0 {
			return fmt.Errorf("left in uploads: %v, %w", left, err)
		}
		want, err := w.releases(client)
		if err != nil {
			return err
		}
		dirs, err := filepath.Glob(filepath.Join(w.p.dir, "releases", "*", "*"))
		have := make([]string, len(dirs))
		for i, dir := range dirs {
			have[i] = filepath.Base(dir)
		}
		slices.Sort(have)
		if err != nil || !slices.Equal(have, want) {
			return fmt.Errorf("directories of releases %v and rows of %v, %w", have, want, err)
		}
		return nil
	})
}

// releases lists the numbers of all releases that have files, sorted.
func (w *world) releases(client *http.Client) (numbers []string, err error) {
	for i := range worldSites {
		status, text, err := w.p.call(client, "GET", fmt.Sprint("/sites/site", i, "/releases"), nil)
		if err != nil {
			return nil, err
		}
		if status == http.StatusNotFound {
			continue
		}
		var list []struct {
			ID    int
			State string
		}
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, fmt.Errorf("%w: %s", err, text)
		}
		for _, r := range list {
			switch r.State {
			case "preparing":
				return nil, fmt.Errorf("release %d of site%d is still being prepared", r.ID, i)
			case "ready":
				numbers = append(numbers, fmt.Sprint(r.ID))
			}
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}
