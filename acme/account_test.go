package acme

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"

	"berth/acme/acmetest"

	"github.com/mholt/acmez/v3"
)

// registrar sees the registrations at a CA, and says what becomes of each.
type registrar struct {
	came chan struct{} // one for each
	then func(number int) acmetest.Fault

	mu   sync.Mutex
	keys []string
}

// watchRegistrations has a front ask a registrar. Without a fault of then's the registration passes.
func watchRegistrations(front *acmetest.Front, then func(number int) acmetest.Fault) *registrar {
	r := &registrar{came: make(chan struct{}, 100), then: then}
	front.Fail(func(w http.ResponseWriter, request *http.Request) bool {
		if !strings.HasSuffix(request.URL.Path, "/sign-me-up") {
			return false
		}
		body, _ := io.ReadAll(request.Body)
		request.Body = io.NopCloser(bytes.NewReader(body))
		var signed struct{ Protected string }
		_ = json.Unmarshal(body, &signed)
		protected, _ := base64.RawURLEncoding.DecodeString(signed.Protected)
		var header struct{ JWK json.RawMessage }
		_ = json.Unmarshal(protected, &header)
		r.mu.Lock()
		r.keys = append(r.keys, string(header.JWK))
		number := len(r.keys)
		r.mu.Unlock()
		r.came <- struct{}{}
		fault := r.then(number)
		return fault != nil && fault(w, request)
	})
	return r
}

// counts is how many registrations were asked for, and with how many keys.
func (r *registrar) counts() (asked, keys int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	different := make(map[string]bool)
	for _, key := range r.keys {
		different[key] = true
	}
	return len(r.keys), len(different)
}

// clientOf is a client of the CA whose account is kept in the directory.
func clientOf(t *testing.T, front *acmetest.Front, dir string) *client {
	t.Helper()
	none := func(string, int) map[string]acmez.Solver { return nil }
	cfg := Config{Zone: testZone, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))}
	return newClient(cfg, at(front), front.DirectoryURL(), newStorage(dir), none, func(refusal) {})
}

// newSlowCA is a CA behind a front.
func newSlowCA(t *testing.T) *acmetest.Front {
	t.Helper()
	return acmetest.Start(t, acmetest.Options{DNS: newZoneServer(t).addr, NonceReject: -1}).NewFront(t)
}

// A slow CA keeps nobody longer than they can wait, and all who wait get the one account.
func TestRegistrationIsWaitedFor(t *testing.T) {
	front := newSlowCA(t)
	goOn := make(chan struct{})
	seen := watchRegistrations(front, func(int) acmetest.Fault { <-goOn; return nil })
	c := clientOf(t, front, t.TempDir())
	errs := make(chan error, 9)
	for range cap(errs) {
		go func() { errs <- c.settle(context.Background()) }()
	}
	<-seen.came
	hurried, giveUp := context.WithCancel(context.Background())
	gaveUp := make(chan error, 1)
	go func() { gaveUp <- c.settle(hurried) }()
	giveUp()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) { // while the CA is still thinking
		t.Errorf("who gives up gets %v", err)
	}
	close(goOn)
	for range cap(errs) {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if asked, _ := seen.counts(); asked != 1 {
		t.Errorf("%d registrations, want one", asked)
	}
}

// Of what becomes of a registration all learn who wait for it; only if its step has ended the next one asks the CA.
func TestFailedRegistrationIsOneForAllWhoWait(t *testing.T) {
	front := newSlowCA(t)
	seen := watchRegistrations(front, func(int) acmetest.Fault { return nil })
	refused := errors.New("refused")
	for _, gaveUp := range []bool{false, true} {
		c := clientOf(t, front, t.TempDir())
		r := &registration{ended: make(chan struct{}), err: refused, gaveUp: gaveUp}
		c.registering = r
		errs := make(chan error, 5)
		for range cap(errs) {
			go func() { errs <- c.settle(context.Background()) }()
		}
		if gaveUp {
			c.mu.Lock()
			c.registering = nil
			c.mu.Unlock()
		}
		close(r.ended)
		for range cap(errs) {
			if err := <-errs; gaveUp != (err == nil) {
				t.Errorf("who has waited gets %v", err)
			}
		}
	}
	if asked, _ := seen.counts(); asked != 1 {
		t.Errorf("%d registrations, want only the one in place of that which was given up", asked)
	}
}

// A registration whose answer is lost, even to a process that ends, is not made twice.
func TestLostRegistrationIsFoundAgain(t *testing.T) {
	front := newSlowCA(t)
	seen := watchRegistrations(front, func(number int) acmetest.Fault {
		if number == 1 {
			return front.Lose
		}
		return nil
	})
	dir := t.TempDir()
	ending, end := context.WithCancel(context.Background())
	lost := make(chan error, 1)
	go func() { lost <- clientOf(t, front, dir).settle(ending) }()
	eventually(t, wait, "the CA has registered it", func() bool { return front.Lost() == 1 })
	end()
	if err := <-lost; err == nil {
		t.Fatal("the answer was not lost")
	}
	c := clientOf(t, front, dir)
	if err := c.settle(context.Background()); err != nil {
		t.Fatal(err)
	}
	if asked, keys := seen.counts(); asked != 2 || keys != 1 {
		t.Errorf("%d registrations with %d keys, want 2 with one", asked, keys)
	}
	if account, err := c.storedAccount(context.Background()); err != nil || account.Location == "" {
		t.Errorf("the account is %+v, %v", account, err)
	}
}

// acmez has one lock for asking CAs for their directories.
func TestSlowDirectoryKeepsNobodyFromAnotherCA(t *testing.T) {
	slow, other := newSlowCA(t), newSlowCA(t)
	slow.Fail(acmetest.Hang)
	waiting, end := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- clientOf(t, slow, t.TempDir()).settle(waiting) }()
	eventually(t, wait, "the slow one is asked", func() bool { return slow.Requests() > 0 })
	if err := clientOf(t, other, t.TempDir()).settle(context.Background()); err != nil {
		t.Error(err)
	}
	select {
	case err := <-ended:
		t.Errorf("the slow one has answered: %v", err)
	default:
	}
	end()
	<-ended
}

func TestUselessDirectoryIsNotKept(t *testing.T) {
	front := newSlowCA(t)
	front.Fail(func(w http.ResponseWriter, _ *http.Request) bool {
		_, _ = io.WriteString(w, `{"maintenance":true}`)
		return true
	})
	c := clientOf(t, front, t.TempDir())
	if err := c.settle(context.Background()); err == nil {
		t.Error("a page of something else passes for a directory")
	}
	front.Fail(nil)
	if err := c.settle(context.Background()); err != nil {
		t.Error(err)
	}
}
