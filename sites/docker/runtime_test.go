package docker

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"berth/sites"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
)

func TestInstanceServesAndStops(t *testing.T) {
	r := newRig(t)
	first := spec(t, 12, 3, "index.html", "hello from release 3")
	began := time.Now()
	a := r.start(first)
	cold := time.Since(began)
	if got := get(t, a.Addr, "/"); got != "hello from release 3" {
		t.Errorf("instance answers %q", got)
	}
	second := spec(t, 12, 4, "index.html", "hello from release 4")
	began = time.Now()
	b := r.start(second)
	t.Logf("first start with image and network %v, second %v\n%s", cold, time.Since(began), figures(r.log.String()))

	listed := r.instances()
	if len(listed) != 2 {
		t.Fatalf("instances: %+v", listed)
	}
	for _, want := range []sites.Instance{a, b} {
		got := listed[0]
		if got.ID != want.ID {
			got = listed[1]
		}
		if d := want.StartedAt.Sub(got.StartedAt); d < -2*time.Second || d > 10*time.Second {
			t.Errorf("started at %v, listed as %v", want.StartedAt, got.StartedAt)
		}
		got.StartedAt = want.StartedAt
		if got != want || want.Stale || want.Limits != first.Limits {
			t.Errorf("listed %+v, started %+v", got, want)
		}
	}

	for range 2 { // the second time there is nothing to stop
		if err := r.Stop(t.Context(), a.ID); err != nil {
			t.Fatalf("stop: %v", err)
		}
	}
	if listed := r.instances(); len(listed) != 1 || listed[0].ID != b.ID {
		t.Errorf("after stop: %+v", listed)
	}
	c := r.start(first)
	if c.Addr == a.Addr || c.Addr == b.Addr {
		t.Errorf("address %v was used again at once", c.Addr)
	}
	if got := len(r.containers()); got != 2 {
		t.Errorf("%d containers for 2 instances", got)
	}
}

// figures are the lines of the log that tell where a start's time went.
func figures(log string) string {
	var found []string
	for line := range strings.Lines(log) {
		if strings.Contains(line, "started an instance") || strings.Contains(line, "loaded the image") {
			found = append(found, line)
		}
	}
	return strings.Join(found, "")
}

func TestInstanceIsConfined(t *testing.T) {
	r := newRig(t)
	instance := r.start(spec(t, 1, 1, "index.html", "x"))
	got := facts(t, instance.Addr)
	for key, want := range map[string]string{
		"uid": "65534", "gid": "65534", "hostname": "site",
		"writeRoot": "open /file: read-only file system", "writeContent": "open /content/file: read-only file system",
		"writeTmp": "open /tmp/file: no such file or directory",
	} {
		if got[key] != want {
			t.Errorf("%s: %q, want %q", key, got[key], want)
		}
	}
	for _, want := range []string{"CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"} {
		if !strings.Contains(got["status"], want) {
			t.Errorf("process status lacks %q:\n%s", want, got["status"])
		}
	}
	found, err := r.cli.ContainerInspect(t.Context(), instance.ID)
	if err != nil {
		t.Fatal(err)
	}
	host := found.HostConfig
	if host.Memory != 64<<20 || host.MemorySwap != 64<<20 || host.NanoCPUs != 5e8 || *host.PidsLimit != 32 {
		t.Errorf("limits: %+v", host.Resources)
	}
	if host.LogConfig.Type != "json-file" || host.LogConfig.Config["max-size"] != "1m" || host.LogConfig.Config["max-file"] != "2" {
		t.Errorf("log: %+v", host.LogConfig)
	}
	if len(host.PortBindings) > 0 || host.PublishAllPorts || host.RestartPolicy.Name != "always" {
		t.Errorf("ports %v, restart policy %v", host.PortBindings, host.RestartPolicy)
	}
	if answer := get(t, instance.Addr, "/-/lookup", "name", "example.org"); !strings.HasPrefix(answer, "[] ") {
		t.Errorf("name lookup answers %q", answer)
	}
}

func TestForeignObjectsAreLeftAlone(t *testing.T) {
	r := newRig(t)
	if err := r.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	foreign := newRig(t)
	other := foreign.start(spec(t, 1, 1, "index.html", "not yours"))
	created, err := r.cli.ContainerCreate(t.Context(), &container.Config{
		Image: r.prepared.Load().image, Labels: map[string]string{labelInstallation: foreign.cfg.Installation + "x", labelSite: "1"},
	}, nil, nil, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.cli.ContainerRemove(t.Context(), created.ID, container.RemoveOptions{}); err != nil {
			t.Errorf("the foreign container is gone: %v", err)
		}
	}()

	own := r.start(spec(t, 1, 1, "index.html", "x"))
	for _, id := range []string{other.ID, created.ID} {
		if err := r.Stop(t.Context(), id); err != nil {
			t.Errorf("stop of a foreign container: %v", err)
		}
		if err := r.Logs(t.Context(), id, sites.LogQuery{}, &strings.Builder{}); err == nil {
			t.Error("logs of a foreign container were read")
		}
	}
	if listed := r.instances(); len(listed) != 1 || listed[0].ID != own.ID {
		t.Errorf("instances: %+v", listed)
	}
	if err := r.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := get(t, other.Addr, "/"); got != "not yours" {
		t.Errorf("the other installation's instance answers %q", got)
	}
	networks, err := r.cli.NetworkList(t.Context(), network.ListOptions{Filters: foreign.ours()})
	if err != nil || len(networks) != 1 {
		t.Errorf("the other installation's networks: %v, %v", networks, err)
	}
}

func TestStartsAtOnceGetAddressesOfTheirOwn(t *testing.T) {
	r := newRig(t)
	var mu sync.Mutex
	seen := make(map[string]bool)
	var starts sync.WaitGroup
	for i := range 5 {
		s := spec(t, sites.SiteID(i+1), 1, "index.html", "x")
		starts.Go(func() {
			instance, err := r.Start(t.Context(), s)
			mu.Lock()
			defer mu.Unlock()
			if err != nil || seen[instance.Addr.String()] {
				t.Errorf("site %d: address %v, %v", s.Site, instance.Addr, err)
			}
			seen[instance.Addr.String()] = true
		})
	}
	starts.Wait()
	if got := len(r.instances()); got != 5 {
		t.Errorf("%d instances", got)
	}
}

func TestAddressesSurviveARestartOfBerth(t *testing.T) {
	r := newRig(t)
	before := r.start(spec(t, 1, 1, "index.html", "x"))
	again := newRig(t, func(c *Config) { *c = r.cfg })
	after := again.start(spec(t, 2, 1, "index.html", "y"))
	if after.Addr == before.Addr {
		t.Errorf("address %v was handed out twice", after.Addr)
	}
	if got := get(t, before.Addr, "/"); got != "x" {
		t.Errorf("the instance of before answers %q", got)
	}
}

func TestLostImageAndNetworkAreMadeAnew(t *testing.T) {
	r := newRig(t)
	if err := r.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, loss := range []string{"image", "network"} {
		r.prune(loss)
		instance := r.start(spec(t, 1, 1, "index.html", "x"))
		if err := r.Stop(t.Context(), instance.ID); err != nil {
			t.Fatal(err)
		}
	}
}

// prune removes what Prepare has made, as a person with a prune command would.
func (r *rig) prune(what string) {
	r.t.Helper()
	var err error
	if what == "image" {
		_, err = r.cli.ImageRemove(r.t.Context(), r.prepared.Load().image, image.RemoveOptions{})
	} else {
		err = r.cli.NetworkRemove(r.t.Context(), r.networkName(0))
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

func TestLogs(t *testing.T) {
	r := newRig(t)
	instance := r.start(spec(t, 1, 1, "index.html", "x"))
	for _, line := range []string{"one", "two", "three"} {
		get(t, instance.Addr, "/-/say", "out", line+" out", "err", line+" err")
	}
	tail := func(n int) string {
		var out strings.Builder
		if err := r.Logs(t.Context(), instance.ID, sites.LogQuery{Tail: n}, &out); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	await(t, "all lines", func() bool { return strings.Count(tail(0), "\n") == 6 })
	all := tail(0)
	for _, stream := range []string{"out", "err"} { // in order within each; the engine reads the two side by side
		one, two, three := strings.Index(all, "one "+stream), strings.Index(all, "two "+stream), strings.Index(all, "three "+stream)
		if one < 0 || two < one || three < two {
			t.Errorf("standard %s: %q", stream, all)
		}
	}
	if got := tail(2); strings.Count(got, "\n") != 2 || !strings.HasSuffix(all, got) {
		t.Errorf("tail of 2 is %q, all is %q", got, all)
	}
}

func TestLogsFollowUntilTheReaderLeaves(t *testing.T) {
	r := newRig(t)
	instance := r.start(spec(t, 1, 1, "index.html", "x"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	followed := &record{}
	done := make(chan error, 1)
	go func() { done <- r.Logs(ctx, instance.ID, sites.LogQuery{Follow: true}, followed) }()
	get(t, instance.Addr, "/-/say", "out", "first")
	await(t, "the first line", func() bool { return strings.Contains(followed.String(), "first\n") })
	get(t, instance.Addr, "/-/say", "out", "second")
	await(t, "the second line", func() bool { return strings.Contains(followed.String(), "second\n") })
	cancel()
	if err := <-done; err != nil {
		t.Errorf("follow: %v", err)
	}
}

func TestImageOfAnotherBuild(t *testing.T) {
	r := newRig(t)
	old := r.start(spec(t, 1, 1, "index.html", "x"))
	oldImage := r.prepared.Load().image

	rebuilt := newRig(t, func(c *Config) {
		*c = r.cfg
		c.Executable = grown(t, r.cfg.Executable)
	})
	if listed := rebuilt.instances(); len(listed) != 1 || !listed[0].Stale {
		t.Fatalf("instance of the old build: %+v", listed)
	}
	fresh := rebuilt.start(spec(t, 1, 1, "index.html", "x"))
	if listed := rebuilt.instances(); len(listed) != 2 || listed[0].Stale == listed[1].Stale {
		t.Errorf("one instance is stale: %+v", listed)
	}
	if _, err := r.cli.ImageInspect(t.Context(), oldImage); err != nil {
		t.Errorf("the image that an instance uses: %v", err)
	}
	if err := rebuilt.Stop(t.Context(), old.ID); err != nil {
		t.Fatal(err)
	}
	if err := rebuilt.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := r.cli.ImageInspect(t.Context(), oldImage); err == nil {
		t.Error("the old image is still there")
	}
	if got := get(t, fresh.Addr, "/"); got != "x" {
		t.Errorf("the new instance answers %q", got)
	}
}
