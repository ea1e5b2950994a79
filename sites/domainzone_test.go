package sites_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"berth/sites"
)

// In a zone that is kept here, an admin's word is enough, and berth answers for the name itself.
func TestADomainInAZoneOfOurs(t *testing.T) {
	b, _ := bootDomains(t)
	b.create("blog")
	b.addZone("hosted.example")
	b.mustEnter(b.root, "mail.hosted.example 60 A 192.0.2.1", "taken.hosted.example 60 TXT hi", "cut.hosted.example 60 NS ns.example.net", "hosted.example 60 MX 10 mail.hosted.example")
	for name, want := range map[string]error{"mail.hosted.example": sites.ErrConflict, "taken.hosted.example": sites.ErrConflict, "a.cut.hosted.example": sites.ErrConflict} {
		_, err := b.AddDomain(t.Context(), b.root, "blog", name)
		wantRefusal(t, name, err, want, "name")
	}
	for _, name := range []string{"www.hosted.example", "hosted.example"} {
		d := b.addDomain(b.root, "blog", name)
		if d.State != sites.DomainActive || !d.Hosted || len(d.Records) > 0 {
			t.Errorf("added %+v", d)
		}
		if p, ok := b.edge.at(name); !ok || p.Name != "blog" {
			t.Errorf("published %+v, %v", p, ok)
		}
		if d = b.check(b.ann, "blog", name); d.State != sites.DomainActive || d.Last.Sentence != "" {
			t.Errorf("after a look: %+v", d)
		}
		_, err := b.enter(b.root, name+" 60 A 192.0.2.1")
		wantRefusal(t, "an address there", err, sites.ErrReserved, "type")
	}
	_, err := b.enter(b.ann, "else.hosted.example 60 TXT mine")
	wantRefusal(t, "the site's owner in the rest of the zone", err, sites.ErrForbidden, "name")
	b.mustEnter(b.ann, "www.hosted.example 60 TXT mine")
	wantRefusal(t, "removed before its records", b.RemoveDomain(t.Context(), b.ann, "blog", "www.hosted.example"), sites.ErrConflict, "")
	if err := b.RemoveDomain(t.Context(), b.ann, "blog", "hosted.example"); err != nil {
		t.Error(err)
	}
}

// A zone that comes to be kept here answers for the domains that lie in it from the beginning.
func TestAZoneComesWithItsDomains(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	b.proven(w, "blog", "www.example.com")
	b.addDomain(b.ann, "blog", "waits.example.com")
	before := len(b.edge.edits())
	b.addZone("example.com")
	after := b.edge.edits()[before:]
	for _, ch := range after {
		if len(ch.Zones) == 1 && (len(ch.Sites) != 1 || !slices.Equal(ch.Sites[0].Hosts, []string{"blog." + zone, "www.example.com"})) {
			t.Errorf("with the zone comes %+v", ch.Sites)
		}
	}
	if len(after) == 0 {
		t.Error("nothing was published")
	}
}

// A domain that waits while its zone comes to be kept here is the operator's to add: records at and below it would come to be the site's.
func TestAZoneEndsTheWaitOfItsDomains(t *testing.T) {
	b, w := bootDomains(t)
	b.create("blog")
	const before, meanwhile = "www.hosted.example", "www.other.example"
	b.addDomain(b.ann, "blog", before)
	b.addDomain(b.ann, "blog", meanwhile)
	b.meanwhile(func(ctx context.Context, tx sites.Tx) error {
		_, err := tx.InsertZone(ctx, sites.Zone{Name: "other.example", Kind: sites.ZonePrimary})
		return err
	})
	w.tell(meanwhile, alias("blog."+zone))
	if d := b.check(b.ann, "blog", meanwhile); d.State != sites.DomainWaiting {
		t.Errorf("with the zone at the look: %+v", d)
	}
	b.addZone("hosted.example")
	w.tell(before, alias("blog."+zone))
	b.mustEnter(b.root, before+" 60 CNAME blog."+zone+".", "mx.www.hosted.example 60 A 192.0.2.1")
	if d := b.check(b.ann, "blog", before); d.State != sites.DomainWaiting || !strings.Contains(d.Last.Sentence, "ask an admin") {
		t.Errorf("with the zone before it: %+v", d)
	}
	if _, ok := b.edge.at(before); ok {
		t.Error("it routes")
	}
}
