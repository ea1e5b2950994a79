package auth

import (
	"testing"
	"time"

	"github.com/pquerna/otp"
)

// The last six digits of RFC 6238's vectors for SHA-1, appendix B.
func TestTOTPVectors(t *testing.T) {
	secret := []byte("12345678901234567890")
	for at, code := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		if step, ok := CheckTOTP(secret, code, 0, time.Unix(at, 0)); !ok || step != at/30 {
			t.Errorf("at %d, %s: step %d, %v", at, code, step, ok)
		}
	}
}

func TestTOTPWindowAndReplay(t *testing.T) {
	secret, at := []byte("12345678901234567890"), time.Unix(1111111109, 0)
	const code = "081804"
	step := at.Unix() / 30
	for shift, want := range map[time.Duration]bool{-time.Minute: false, -30 * time.Second: true, 30 * time.Second: true, time.Minute: false} {
		if _, ok := CheckTOTP(secret, code, 0, at.Add(shift)); ok != want {
			t.Errorf("with clocks %s apart: %v", shift, ok)
		}
	}
	if _, ok := CheckTOTP(secret, code, step, at); ok {
		t.Error("a code is taken twice")
	}
	if _, ok := CheckTOTP(secret, code, step-1, at); !ok {
		t.Error("the code after a used one is refused")
	}
	for _, typed := range []string{"081 804", " 081-804 "} {
		if _, ok := CheckTOTP(secret, typed, 0, at); !ok {
			t.Errorf("%q is refused", typed)
		}
	}
	for _, typed := range []string{"", "81804", "0818040", "١٢٣٤٥٦"} {
		if _, ok := CheckTOTP(secret, typed, 0, at); ok {
			t.Errorf("%q is taken", typed)
		}
	}
}

func TestTOTPURI(t *testing.T) {
	secret := NewTOTPSecret()
	key, err := otp.NewKeyFromURL(TOTPURI(secret, "sites.example.org", "ann.b+c"))
	if err != nil {
		t.Fatal(err)
	}
	if key.Type() != "totp" || key.Issuer() != "sites.example.org" || key.AccountName() != "ann.b+c" || key.Digits() != otp.DigitsSix || key.Period() != 30 {
		t.Errorf("read as %s of %q at %q", key.Type(), key.AccountName(), key.Issuer())
	}
	if len(secret) != 20 || len(key.Secret()) != 32 {
		t.Errorf("a secret of %d bytes, %q", len(secret), key.Secret())
	}
}

func TestRecoveryCodes(t *testing.T) {
	codes, hashes := NewRecoveryCodes()
	if len(codes) != 10 || len(hashes) != 10 {
		t.Fatalf("%d codes, %d hashes", len(codes), len(hashes))
	}
	left, ok := SpendRecoveryCode(hashes, " "+codes[3]+" ")
	if !ok || len(left) != 9 || len(hashes) != 10 {
		t.Fatalf("spent: %v, %d left of %d", ok, len(left), len(hashes))
	}
	if _, ok := SpendRecoveryCode(left, codes[3]); ok {
		t.Error("a code is taken twice")
	}
	if _, ok := SpendRecoveryCode(left, codes[4]); !ok {
		t.Error("another code is gone, too")
	}
	if _, ok := SpendRecoveryCode(left, ""); ok {
		t.Error("nothing is a code")
	}
}
