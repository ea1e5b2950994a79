package panel

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"
)

func TestRefusedLoginsShareALine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRefusals()
		ann := refusal{"ann", "192.0.2.1"}
		if line, write := r.note(ann); !write || line.refusal != ann || line.detail != "" {
			t.Errorf("the first: %+v, %v", line, write)
		}
		for range 7 {
			if _, write := r.note(ann); write {
				t.Error("a second line within a minute")
			}
		}
		for _, other := range []refusal{{"ann", "192.0.2.2"}, {"bob", "192.0.2.1"}} {
			if _, write := r.note(other); !write {
				t.Errorf("%v has no line of its own", other)
			}
		}
		time.Sleep(refusalsEvery)
		if line, write := r.note(ann); !write || line.detail != "and 7 times more since the line before" {
			t.Errorf("a minute later: %+v, %v", line, write)
		}
		time.Sleep(refusalsEvery)
		if line, write := r.note(ann); !write || line.detail != "" {
			t.Errorf("another minute later: %+v, %v", line, write)
		}
	})
}

func TestRefusedLoginsFromEverywhereAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRefusals()
		lines := 0
		flood := func() {
			for i := range 10_000 {
				if _, write := r.note(refusal{"ann", strconv.Itoa(i)}); write {
					lines++
				}
			}
		}
		flood()
		if lines != maxRefusals+1 || len(r.told) > maxRefusals+1 {
			t.Errorf("%d lines, %d kept", lines, len(r.told))
		}
		time.Sleep(refusalsEvery)
		line, _ := r.note(refusal{"ann", "fresh"})
		if line.origin != "fresh" {
			t.Errorf("a minute later the line is about %v", line.refusal)
		}
		time.Sleep(2 * time.Hour)
		r.note(refusal{"ann", "last"})
		if len(r.told) != 1 {
			t.Errorf("%d are kept for ever", len(r.told))
		}
	})
}
