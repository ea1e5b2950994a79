package auth

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

// sent is a request with the cookie.
func sent(value string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "https://panel.test/login", nil)
	r.AddCookie(&http.Cookie{Name: DeviceCookie, Value: value})
	return r
}

func TestDeviceIsOfOneAccountAndPassword(t *testing.T) {
	cookie := NewDevice(7, "hash")
	if !cookie.Secure || !cookie.HttpOnly || cookie.Path != "/" || cookie.Domain != "" || cookie.SameSite != http.SameSiteLaxMode {
		t.Errorf("the cookie is %s", cookie)
	}
	id := Device(sent(cookie.Value), 7, "hash")
	if id == "" {
		t.Fatal("the browser is not known")
	}
	if other := Device(sent(NewDevice(7, "hash").Value), 7, "hash"); other == id {
		t.Error("two browsers are one")
	}
	for name, got := range map[string]string{
		"another account": Device(sent(cookie.Value), 8, "hash"),
		"a new password":  Device(sent(cookie.Value), 7, "new hash"),
		"no account":      Device(sent(NewDevice(0, "").Value), 0, ""),
		"no cookie":       Device(httptest.NewRequest(http.MethodPost, "/login", nil), 7, "hash"),
		"a forged one":    Device(sent("A"+cookie.Value[1:]+"x"), 7, "hash"),
		"a short one":     Device(sent(cookie.Value[:8]), 7, "hash"),
		"no base64":       Device(sent("!"), 7, "hash"),
	} {
		if got != "" {
			t.Errorf("%s: the browser is known as %s", name, got)
		}
	}
}

func TestDeviceIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cookie := NewDevice(7, "hash")
		time.Sleep(deviceLife - time.Minute)
		if Device(sent(cookie.Value), 7, "hash") == "" {
			t.Error("the browser is forgotten too soon")
		}
		time.Sleep(2 * time.Minute)
		if Device(sent(cookie.Value), 7, "hash") != "" {
			t.Error("the browser is known for ever")
		}
	})
}
