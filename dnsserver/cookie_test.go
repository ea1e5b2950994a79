package dnsserver

import (
	"encoding/hex"
	"net/netip"
	"testing"
	"time"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The first and the last of the 64 vectors of the reference implementation, and one between.
func TestSipHash(t *testing.T) {
	var secret [16]byte
	for i := range secret {
		secret[i] = byte(i)
	}
	key := newSipKey(secret)
	message := make([]byte, 64)
	for i := range message {
		message[i] = byte(i)
	}
	for length, want := range map[int]uint64{0: 0x726fdb47dd0e0e31, 15: 0xa129ca6149be45e5, 63: 0x958a324ceb064572} {
		if got := key.sum(message[:length]); got != want {
			t.Errorf("of %d bytes: %x, want %x", length, got, want)
		}
	}
}

func sipKeyOf(t testing.TB, text string) sipKey { return newSipKey([16]byte(unhex(t, text))) }

// The cookies of RFC 9018, appendix A: made, and accepted while they are young.
func TestCookieVectors(t *testing.T) {
	for _, c := range []struct {
		secret, addr string
		made         int64
		cookie       string
	}{
		{"e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100", 1559731985, "2464c4abcf10c957010000005cf79f111f8130c3eee29480"},
		{"e5e973e5a6b2a43f48e7dc849e37bfcf", "198.51.100.100", 1559734385, "2464c4abcf10c957010000005cf7a871d4a564a1442aca77"},
		{"e5e973e5a6b2a43f48e7dc849e37bfcf", "203.0.113.203", 1559734700, "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e"},
		{"445536bcd2513298075a5d379663c962", "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961, "22681ab97d52c298010000005cf7c609a6bb79d16625507a"},
	} {
		pair := &secretPair{now: sipKeyOf(t, c.secret)}
		addr, made, cookie := netip.MustParseAddr(c.addr), time.Unix(c.made, 0), unhex(t, c.cookie)
		if got := pair.append(nil, cookie[:clientCookieSize], addr, made); hex.EncodeToString(got) != c.cookie {
			t.Errorf("made %x, want %s", got, c.cookie)
		}
		if state, fresh := pair.check(cookie, addr, made.Add(time.Minute)); state != cookieValid || !fresh {
			t.Errorf("%s is in state %d, fresh %v", c.cookie, state, fresh)
		}
	}
}

// What a cookie is worth: the bytes that others have reserved count into the hash (RFC 9018, appendix A.3), as do the
// address and the time.
func TestCookieStates(t *testing.T) {
	pair := &secretPair{now: sipKeyOf(t, "e5e973e5a6b2a43f48e7dc849e37bfcf"), before: sipKeyOf(t, "445536bcd2513298075a5d379663c962")}
	const reserved, plain, old = "fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5",
		"2464c4abcf10c957010000005cf79f111f8130c3eee29480", "22681ab97d52c298010000005cf7c609a6bb79d16625507a"
	for _, c := range []struct {
		name, cookie, addr string
		at                 int64
		want               cookieState
		fresh              bool
	}{
		{"reserved bytes", reserved, "203.0.113.203", 1559727985, cookieValid, true},
		{"as old as it may be", plain, "198.51.100.100", 1559731985 + 3600, cookieValid, false},
		{"too old", plain, "198.51.100.100", 1559731985 + 3601, cookieBad, false},
		{"half as old", plain, "198.51.100.100", 1559731985 + 1800, cookieValid, false},
		{"of a clock ahead", plain, "198.51.100.100", 1559731985 - 300, cookieValid, true},
		{"of the future", plain, "198.51.100.100", 1559731985 - 301, cookieBad, false},
		{"of another address", plain, "198.51.100.101", 1559731985, cookieBad, false},
		{"mapped address", plain, "::ffff:198.51.100.100", 1559731985, cookieValid, true},
		{"of the secret before", old, "2001:db8:220:1:59de:d0f4:8769:82b8", 1559741961, cookieValid, false},
		{"another version", "2464c4abcf10c957020000005cf79f111f8130c3eee29480", "198.51.100.100", 1559731985, cookieBad, false},
		{"another length", plain + "00", "198.51.100.100", 1559731985, cookieBad, false},
		{"client cookie alone", "2464c4abcf10c957", "198.51.100.100", 1559731985, cookieNew, false},
		{"none", "", "198.51.100.100", 1559731985, cookieNone, false},
	} {
		state, fresh := pair.check(unhex(t, c.cookie), netip.MustParseAddr(c.addr), time.Unix(c.at, 0))
		if state != c.want || fresh != c.fresh {
			t.Errorf("%s: state %d, fresh %v; want %d, %v", c.name, state, fresh, c.want, c.fresh)
		}
	}
}

// A cookie outlives one change of the secret, and not two.
func TestCookieSecretsRotate(t *testing.T) {
	var secrets cookieSecrets
	client, begin := netip.MustParseAddr("192.0.2.7"), time.Unix(1559731985, 0)
	last := begin.Add(secretPeriod - time.Second) // of the first secret
	cookie := secrets.at(begin).append(nil, make([]byte, clientCookieSize), client, last)
	for _, c := range []struct {
		after time.Duration
		want  cookieState
	}{{0, cookieValid}, {time.Minute, cookieValid}, {cookieLife, cookieValid}} {
		now := last.Add(c.after)
		if state, _ := secrets.at(now).check(cookie, client, now); state != c.want {
			t.Errorf("after %v: state %d, want %d", c.after, state, c.want)
		}
	}
	if a, b := secrets.at(last.Add(cookieLife)), secrets.at(last.Add(2*cookieLife)); a == b || b.before != a.now {
		t.Error("the secret does not change by the hour")
	}
	if state, _ := secrets.at(last.Add(10*cookieLife)).check(cookie, client, last); state != cookieBad {
		t.Error("a secret is accepted for ever")
	}
}
