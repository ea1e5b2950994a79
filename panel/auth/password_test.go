package auth

import (
	"context"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/crypto/argon2"
)

func TestHashRoundTrip(t *testing.T) {
	h := NewHasher(2)
	hash, err := h.Hash(t.Context(), "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("hash %q is not in PHC format with the chosen costs", hash)
	}
	for password, want := range map[string]bool{"correct horse battery": true, "correct horse batterx": false, "": false} {
		ok, rehash, err := h.Verify(t.Context(), home, hash, password)
		if err != nil || ok != want || rehash {
			t.Errorf("Verify(%q) = %v, %v, %v, want %v, false, nil", password, ok, rehash, err, want)
		}
	}
	again, _ := h.Hash(t.Context(), "correct horse battery")
	if again == hash {
		t.Error("two hashes of one password are equal: no salt")
	}
}

func TestVerifyAsksForRehashOfOldCosts(t *testing.T) {
	old := params{memory: 8 * 1024, time: 1, threads: 1}
	salt := []byte("0123456789abcdef")
	hash := encode(old, salt, argon2.IDKey([]byte("pass word 12"), salt, old.time, old.memory, old.threads, keyBytes))
	ok, rehash, err := NewHasher(1).Verify(t.Context(), home, hash, "pass word 12")
	if !ok || !rehash || err != nil {
		t.Errorf("Verify = %v, %v, %v, want true, true, nil", ok, rehash, err)
	}
}

func TestVerifyOfUnknownAccountCostsTheSame(t *testing.T) {
	h := NewHasher(1)
	p, salt, key, err := decode(h.dummy)
	if err != nil {
		t.Fatal(err)
	}
	if p != current() || len(salt) != saltBytes || len(key) != keyBytes {
		t.Errorf("the hash for unknown accounts has costs %+v, salt %d, key %d", p, len(salt), len(key))
	}
	if ok, _, err := h.Verify(t.Context(), home, "", "anything at all"); ok || err != nil {
		t.Errorf("Verify of no hash = %v, %v", ok, err)
	}
}

func TestVerifyRefusesDamagedHashes(t *testing.T) {
	good := encode(current(), []byte("0123456789abcdef"), []byte("0123456789abcdef0123456789abcdef"))
	for _, hash := range []string{
		"plain", "$argon2i$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$MDEyMzQ1Njc4OWFiY2RlZg",
		strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=19456", "m=99999999", 1),
		strings.Replace(good, "t=2", "t=0", 1),
		strings.Replace(good, "p=1", "p=x", 1),
		good[:len(good)-30],
		good + "!",
	} {
		if ok, _, err := NewHasher(1).Verify(t.Context(), home, hash, "whatever"); ok || err == nil {
			t.Errorf("Verify(%q) = %v, %v, want an error", hash, ok, err)
		}
	}
}

func TestHasherIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(1)
		h.slots <- struct{}{} // another check is under way and does not end
		if _, err := h.Hash(t.Context(), "correct horse"); err != ErrBusy {
			t.Errorf("Hash with no free slot: %v, want ErrBusy", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := h.Hash(ctx, "correct horse"); err != context.Canceled {
			t.Errorf("Hash of a client that has gone: %v", err)
		}
		<-h.slots
		if _, err := h.Hash(t.Context(), "correct horse"); err != nil {
			t.Errorf("Hash with a free slot: %v", err)
		}
	})
}

func TestHasherBoundsWhoWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(1)
		h.slots <- struct{}{} // another check is under way and does not end
		ctx, cancel := context.WithCancel(t.Context())
		var waiting sync.WaitGroup
		guess := func(addr netip.Addr) {
			waiting.Go(func() {
				if _, _, err := h.Verify(ctx, addr, "", "a guess"); err != context.Canceled {
					t.Errorf("a guess that waits: %v", err)
				}
			})
			synctest.Wait()
		}
		begin := time.Now()
		refused := func(who string, addr netip.Addr) {
			if _, _, err := h.Verify(ctx, addr, "", "a guess"); err != ErrBusy || time.Since(begin) > 0 {
				t.Errorf("one more guess of %s: %v after %v, want ErrBusy at once", who, err, time.Since(begin))
			}
		}
		for range maxWaitingClient {
			guess(stranger)
		}
		refused("the same client", stranger)
		for i := range maxWaiting - maxWaitingClient {
			guess(addrNo(i))
		}
		refused("somebody else", home)
		if _, err := h.Hash(ctx, "a password"); err != ErrBusy {
			t.Errorf("a hash with a full queue: %v", err)
		}
		cancel()
		waiting.Wait()
		if h.queue.all != 0 || len(h.queue.byClient) != 0 {
			t.Errorf("%d still wait, of %d clients", h.queue.all, len(h.queue.byClient))
		}
	})
}

func TestCheckPassword(t *testing.T) {
	tests := []struct {
		password, want string
	}{
		{"a fine one 1", ""},
		{"zwölf äöü 12", ""},
		{strings.Repeat("ab", 512), ""},
		{"short", "at least 10"},
		{"äöüäöüäöü", "at least 10"}, // nine characters, eighteen bytes
		{strings.Repeat("ab", 513), "at most 1024"},
		{"Margarethe-K", "account's name"},
		{"aaaaaaaaaaaa", "over and over"},
		{"abcdefghijk\xff", "UTF-8"},
	}
	for _, tt := range tests {
		err := CheckPassword("margarethe-k", tt.password)
		if (tt.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("CheckPassword(%.20q) = %v, want %q", tt.password, err, tt.want)
		}
	}
}

func TestNewPassword(t *testing.T) {
	seen := make(map[string]bool)
	for range 100 {
		p := NewPassword()
		if err := CheckPassword("admin", p); err != nil {
			t.Errorf("NewPassword() = %q, which the rule refuses: %v", p, err)
		}
		if strings.ContainsAny(p, "il1o0") {
			t.Errorf("NewPassword() = %q has characters taken for one another", p)
		}
		if seen[p] {
			t.Fatalf("NewPassword() = %q twice", p)
		}
		seen[p] = true
	}
}
