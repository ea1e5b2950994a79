package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"strconv"
	"time"
)

// DeviceCookie marks a browser from which an account has logged in. It opens nothing by itself: it only gives the
// browser a count of its own in the Throttle.
const DeviceCookie = "__Host-berth-device"

// deviceLife is how long a browser stays known; each login begins it anew. Browsers keep no cookie longer than 400 days.
const deviceLife = 365 * 24 * time.Hour

const (
	deviceID   = 16 // random bytes
	deviceData = deviceID + 8
)

// NewDevice returns the cookie for a browser that has just logged in to the account. It is signed with the Fingerprint of the account's
// credentials, so nothing is kept of it, and new ones make strangers of all browsers: a second step must not be guessed at by each
// browser that the password alone has once let in.
func NewDevice(account int64, fingerprint string) *http.Cookie {
	data := binary.BigEndian.AppendUint64(random(deviceID), uint64(time.Now().Add(deviceLife).Unix()))
	return &http.Cookie{
		Name: DeviceCookie, Value: base64.RawURLEncoding.EncodeToString(append(data, signDevice(data, account, fingerprint)...)),
		Path: "/", MaxAge: int(deviceLife / time.Second), Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	}
}

// Device names the browser that sent the request, if the account has logged in from it with the credentials that it has
// now, and is empty otherwise.
func Device(r *http.Request, account int64, fingerprint string) string {
	cookie, err := r.Cookie(DeviceCookie)
	if err != nil || fingerprint == "" {
		return ""
	}
	value, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(value) != deviceData+sha256.Size {
		return ""
	}
	data, signature := value[:deviceData], value[deviceData:]
	if !hmac.Equal(signature, signDevice(data, account, fingerprint)) {
		return ""
	}
	if until := binary.BigEndian.Uint64(data[deviceID:]); time.Now().Unix() > int64(until) {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString(data[:deviceID])
}

func signDevice(data []byte, account int64, fingerprint string) []byte {
	mac := hmac.New(sha256.New, []byte("device\x00"+fingerprint))
	mac.Write(strconv.AppendInt(nil, account, 10))
	mac.Write([]byte{0})
	mac.Write(data)
	return mac.Sum(nil)
}
