package proxy

import (
	"errors"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// ailing is the health of an instance under the usual limits.
func ailing() *health { return &health{pace: defaultLimits().outlier} }

func (h *health) faultsInARow(n int) (out time.Duration) {
	for range n {
		out = h.fault(faultConnection, time.Now())
	}
	return out
}

func TestFiveFaultsInARowLeaveAnInstanceOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := ailing()
		if h.faultsInARow(4); h.leftOut() {
			t.Error("out after four")
		}
		h.sound()
		if h.faultsInARow(4); h.leftOut() {
			t.Error("out though it answered between")
		}
		time.Sleep(31 * time.Second)
		if h.faultsInARow(4); h.leftOut() {
			t.Error("out though the first four were long ago")
		}
		if out := h.faultsInARow(1); out != 10*time.Second || !h.leftOut() {
			t.Errorf("out for %s after the fifth", out)
		}
		time.Sleep(10 * time.Second)
		if h.leftOut() {
			t.Error("out for longer than it should be")
		}
	})
}

func TestTheTimeOutDoubles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := ailing()
		want := 10 * time.Second
		out := h.faultsInARow(5)
		for range 8 {
			if out != want {
				t.Fatalf("out for %s, want %s", out, want)
			}
			time.Sleep(out)
			want = min(want*2, 5*time.Minute)
			out = h.fault(faultAnswer, time.Now()) // one is enough after it has been let in
		}
		time.Sleep(out)
		h.sound()
		if h.faultsInARow(4); h.leftOut() {
			t.Error("out after four though it has answered since")
		}
		h.sound()
		time.Sleep(5*time.Minute + time.Second)
		if out := h.faultsInARow(5); out != 10*time.Second {
			t.Errorf("after a good time out for %s", out)
		}
	})
}

func TestAnAnswerLetsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := ailing()
		h.faultsInARow(5)
		h.sound()
		if h.leftOut() {
			t.Error("it answers, and is left out")
		}
		if out := h.faultsInARow(1); out != 20*time.Second {
			t.Errorf("the next fault leaves it out for %s", out)
		}
	})
}

func TestChecks(t *testing.T) {
	const every = 10 * time.Second
	synctest.Test(t, func(t *testing.T) {
		h := ailing()
		if h.missed(time.Now(), every); h.leftOut() {
			t.Error("out after one missed check")
		}
		if h.found() || h.missed(time.Now(), every) != 0 {
			t.Error("checks that are missed now and then count")
		}
		if out := h.missed(time.Now(), every); out != 10*time.Second {
			t.Errorf("out for %s", out)
		}
		for range 20 {
			time.Sleep(every)
			if h.missed(time.Now(), every); !h.leftOut() {
				t.Fatal("let in though checks find no answer")
			}
		}
		if !h.found() || h.leftOut() {
			t.Error("a check that finds an answer does not let it in")
		}
	})
	synctest.Test(t, func(t *testing.T) {
		h := ailing()
		for range 5 {
			h.fault(faultAnswer, time.Now())
		}
		if h.found() || !h.leftOut() {
			t.Error("what it answers to checks outweighs what it answers to visitors")
		}
	})
}

func TestAnUnreachableInstanceRestsForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := ailing()
		refused := &net.OpError{Op: "dial", Err: errors.New("refused")}
		if !h.failed(refused, time.Now()) || h.failed(refused, time.Now()) {
			t.Error("only the first failure makes it unreachable")
		}
		if !h.resting(time.Second) {
			t.Error("it does not rest")
		}
		time.Sleep(time.Second)
		if h.resting(time.Second) {
			t.Error("it rests for too long")
		}
	})
}
