package docker

import (
	"strings"
	"testing"

	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/api/types/network"
)

// objects names all that the installation has on the engine.
func (r *rig) objects() []string {
	r.t.Helper()
	var names []string
	for _, c := range r.containers() {
		names = append(names, "container "+containerName(c))
	}
	networks, err := r.cli.NetworkList(r.t.Context(), network.ListOptions{Filters: r.ours()})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, n := range networks {
		names = append(names, "network "+n.Name)
	}
	images, err := r.cli.ImageList(r.t.Context(), image.ListOptions{All: true, Filters: r.ours()})
	if err != nil {
		r.t.Fatal(err)
	}
	for _, i := range images {
		names = append(names, "image "+strings.Join(i.RepoTags, " "))
	}
	return names
}

func TestUninstall(t *testing.T) {
	r := newRig(t)
	other := newRig(t)
	kept := other.start(spec(t, 1, 1, "index.html", "not yours"))
	for i := range 3 {
		r.start(spec(t, 1, i+1, "index.html", "x"))
	}
	if got := len(r.objects()); got != 5 {
		t.Errorf("%d objects before: %q", got, r.objects())
	}
	for range 2 { // the second time there is nothing to remove
		if err := r.Uninstall(t.Context()); err != nil {
			t.Fatal(err)
		}
		if left := r.objects(); len(left) > 0 {
			t.Errorf("left behind: %q", left)
		}
	}
	if got := get(t, kept.Addr, "/"); got != "not yours" {
		t.Errorf("the other installation's instance answers %q", got)
	}
	again := r.start(spec(t, 1, 1, "index.html", "anew"))
	if got := get(t, again.Addr, "/"); got != "anew" {
		t.Errorf("an instance after Uninstall answers %q", got)
	}
}
