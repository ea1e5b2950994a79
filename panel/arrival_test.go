package panel

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestTheAnswerDoesNotWaitForALargeZip has unpacking take longer than anybody waits, and reads on without a script.
func TestTheAnswerDoesNotWaitForALargeZip(t *testing.T) {
	for _, tc := range []struct {
		zip  []byte
		told string
	}{
		{zipOf(t, "index.html"), "Release 1 Active"},
		{[]byte("no zip"), "Release 1 Failed"},
	} {
		w := newWorld(t)
		w.site("ann", "hello")
		w.hold, w.panel.unpackPatience = make(chan struct{}), time.Millisecond
		end := sync.OnceFunc(func() { close(w.hold) })
		t.Cleanup(end)
		b := w.login("ann")
		b.open("/sites/hello")
		again := func() bool { return strings.Contains(b.page.Find("head noscript").Text(), `http-equiv="refresh"`) }
		if again() {
			t.Error("a page on which nothing is to come is loaded again")
		}
		b.submitFile("form[data-upload]", "a.zip", tc.zip)
		b.says(200, "has arrived and is being unpacked")
		contains(t, "the releases", b.page.Find("#site-releases").Text(), "Unpacking")
		if !again() {
			t.Error("without a script the page does not show what becomes of the upload")
		}
		if list, err := w.Releases(t.Context(), w.actor("ann"), "hello"); err != nil || len(list) != 0 {
			t.Errorf("there are releases already: %+v, %v", list, err)
		}
		end()
		eventually(t, tc.told+", and nothing else is to come", func() bool {
			text := strings.Join(strings.Fields(b.open("/sites/hello").Find("#site-releases").Text()), " ")
			return strings.Contains(text, tc.told) && !strings.Contains(text, "Unpacking") && !again()
		})
	}
}

// TestWhatBecomesOfAnUploadIsToldByEvents listens as the script does.
func TestWhatBecomesOfAnUploadIsToldByEvents(t *testing.T) {
	w := newWorld(t)
	w.site("ann", "hello")
	w.hold, w.panel.unpackPatience = make(chan struct{}), time.Millisecond
	end := sync.OnceFunc(func() { close(w.hold) })
	t.Cleanup(end)
	b := w.login("ann")
	watcher := w.Watch()
	defer watcher.Close()
	next := func(what string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if names, err := watcher.Next(ctx); err != nil || !slices.Equal(names, []string{"hello"}) {
			t.Fatalf("%s: %v, %v", what, names, err)
		}
	}
	b.open("/sites/hello")
	b.submitFile("form[data-upload]", "a.zip", []byte("no zip"))
	next("when it has arrived")
	contains(t, "the live part", b.open("/live/sites/hello").Find("#site-releases").Text(), "Unpacking")
	end()
	next("when it is refused")
	eventually(t, "the live part tells the refusal", func() bool {
		return strings.Contains(b.open("/live/sites/hello").Find("#site-releases").Text(), "Failed")
	})
}
