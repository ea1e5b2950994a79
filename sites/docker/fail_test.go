package docker

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"berth/sites"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/image"
)

func TestStartThatFailsLeavesNothing(t *testing.T) {
	r := newRig(t)
	cases := []struct {
		name     string
		files    []string
		sentence string
	}{
		{"exits", []string{"exit-code", "3"}, "The site's program ended while it started, with exit code 3."},
		{"out of memory", []string{"hungry", ""}, "The site's program was ended while it started: it needs more than the 64 MB of memory that the site has."},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := r.Start(t.Context(), spec(t, 1, 1, c.files...))
			var refusal *sites.Refusal
			if !errors.As(err, &refusal) || refusal.Sentence != c.sentence {
				t.Errorf("start: %v", err)
			}
			if left := r.containers(labelSite); len(left) > 0 {
				t.Errorf("left behind: %+v", left)
			}
		})
	}
	if !strings.Contains(r.log.String(), "cannot go on") {
		t.Error("what the program said is not in the log")
	}
}

func TestStartThatIsGivenUpLeavesNothing(t *testing.T) {
	r := newRig(t)
	if err := r.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	mute := spec(t, 1, 1, "mute", "")
	for _, after := range []time.Duration{0, 5 * time.Millisecond, 60 * time.Millisecond, 150 * time.Millisecond, 2 * time.Second} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		_, err := r.Start(ctx, mute)
		cancel()
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("given up after %v: %v", after, err)
		}
		if left := r.containers(labelSite); len(left) > 0 {
			t.Errorf("given up after %v, left behind: %+v", after, left)
		}
	}
}

func TestOrphansAreSwept(t *testing.T) {
	r := newRig(t)
	r.watch()
	kept := r.start(spec(t, 1, 1, "index.html", "x"))
	ended := r.start(spec(t, 2, 1, "index.html", "x"))
	if err := r.cli.ContainerKill(t.Context(), ended.ID, "KILL"); err != nil { // by hand, so the engine does not restart it
		t.Fatal(err)
	}
	await(t, "the end of the killed instance", func() bool { return len(r.instances()) == 1 })
	if len(r.containers()) != 2 {
		t.Error("what has just ended was removed: the engine may be about to shut down")
	}
	labels, err := r.instanceLabels(spec(t, 3, 1))
	if err != nil {
		t.Fatal(err)
	}
	once := r.objectLabels()
	once[labelRole] = roleIsolation
	for _, l := range []map[string]string{labels, once, r.objectLabels()} {
		_, err := r.cli.ContainerCreate(t.Context(), &container.Config{Image: r.prepared.Load().image, Labels: l}, nil, nil, nil, "")
		if err != nil {
			t.Fatal(err)
		}
	}
	await(t, "the orphans' removal", func() bool {
		listed := r.instances()
		return len(listed) == 1 && listed[0].ID == kept.ID && len(r.containers()) == 1
	})
}

func TestInstanceThatEndsIsRestartedAndInTheEndGivenUp(t *testing.T) {
	r := newRig(t)
	r.watch()
	s := spec(t, 1, 1, "index.html", "x")
	instance := r.start(s)
	if err := os.WriteFile(filepath.Join(s.Root, "exit-code"), []byte("9"), 0o644); err != nil {
		t.Fatal(err)
	}
	// The answer to this request is the end of the program.
	conn, err := net.Dial("tcp", instance.Addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET /-/exit HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	await(t, "giving up", func() bool { return len(r.instances()) == 0 && len(r.containers(labelSite)) == 0 })
}

func TestDynamicExecutableIsRefused(t *testing.T) {
	dynamic := "/bin/ls"
	r, err := New(Config{Installation: "x", Version: "1", Executable: dynamic})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.build(); err == nil || !strings.Contains(err.Error(), "CGO_ENABLED=0") {
		t.Errorf("build of %s: %v", dynamic, err)
	}
}

func TestEngineThatIsAway(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "none.sock"))
	r, err := New(Config{Installation: "x", Version: "1", Executable: program(t), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	_, startErr := r.Start(t.Context(), spec(t, 1, 1))
	_, listErr := r.Instances(t.Context())
	for operation, err := range map[string]error{
		"ping": r.Ping(t.Context()), "prepare": r.Prepare(t.Context()), "start": startErr, "instances": listErr,
		"stop": r.Stop(t.Context(), "x"), "logs": r.Logs(t.Context(), "x", sites.LogQuery{}, io.Discard),
	} {
		var refusal *sites.Refusal
		if !errors.As(err, &refusal) || !errors.Is(err, sites.ErrUnavailable) || refusal.Sentence != silent {
			t.Errorf("%s: %v", operation, err)
		}
	}
	if info := r.Info(t.Context()); info.Name != "docker" || info.Err != silent {
		t.Errorf("info: %+v", info)
	}
}

func TestTemplateWithAnImage(t *testing.T) {
	r := newRig(t)
	s := foreignSpec(t, r, 1)
	instance := r.start(s)
	if got := get(t, instance.Addr, "/"); got != "from a template" || instance.Addr.Port() != 3000 {
		t.Errorf("instance at %v answers %q", instance.Addr, got)
	}
	if got := facts(t, instance.Addr); got["uid"] != "65534" || got["writeTmp"] != "done" || got["writeRoot"] == "done" {
		t.Errorf("facts: %v", got)
	}
	found, err := r.cli.ContainerInspect(t.Context(), instance.ID)
	if err != nil || len(found.Mounts) != 1 {
		t.Errorf("mounts, of which the content is the only one: %+v, %v", found.Mounts, err)
	}
	if listed := r.instances(); len(listed) != 1 || listed[0].Stale || listed[0].Addr != instance.Addr {
		t.Errorf("instances: %+v", listed)
	}

	s.Template.Command = []string{"nonsense"}
	_, err = r.Start(t.Context(), s)
	if want := `The site's program ended while it started, with exit code 1. Its last words were: "unknown command line [\"static\" \"nonsense\"]"`; err == nil || err.Error() != want {
		t.Errorf("start with a wrong command: %v", err)
	}
	s.Template.Image = "127.0.0.1:1/none:1"
	if _, err = r.Start(t.Context(), s); !errors.Is(err, sites.ErrConflict) || strings.Contains(err.Error(), "refused") {
		t.Errorf("start of an image that cannot be had: %v", err)
	}
}

// foreignSpec is a spec of a template with an image of somebody else's, which wants to write to a volume.
func foreignSpec(t *testing.T, r *rig, site sites.SiteID) sites.Spec {
	t.Helper()
	ref := "berth-test-template:" + r.tag
	exe, err := os.Open(program(t))
	if err != nil {
		t.Fatal(err)
	}
	defer exe.Close()
	stat, err := exe.Stat()
	if err != nil {
		t.Fatal(err)
	}
	pr, pw := io.Pipe()
	go func() { pw.CloseWithError(writeRootFS(pw, exe, stat.Size())) }()
	body, err := r.cli.ImageImport(t.Context(), image.ImportSource{Source: pr, SourceName: "-"}, ref,
		image.ImportOptions{Changes: []string{`ENTRYPOINT ["/berth", "static"]`, "VOLUME /var/cache", "USER 0"}})
	if err != nil {
		t.Fatal(err)
	}
	defer body.Close()
	if err := drainProgress(body); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.removeContainers(context.Background()); err != nil {
			t.Error(err)
		}
		if _, err := r.cli.ImageRemove(context.Background(), ref, image.RemoveOptions{}); err != nil {
			t.Error(err)
		}
	})

	s := spec(t, site, 1, "index.html", "from a template")
	s.Template = sites.Template{Name: "own", Image: ref, Port: 3000, ContentPath: "/srv/site", Command: []string{"/srv/site", "--listen", ":3000"}}
	return s
}
