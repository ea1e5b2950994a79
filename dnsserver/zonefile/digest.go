package zonefile

import "fmt"

// readDS reads RFC 4034 section 5.3.
func readDS(d *data) (value, error) {
	texts, err := d.atLeast(4)
	if err != nil {
		return value{}, err
	}
	tag, err := d.number(texts[0], "The key tag", 16)
	if err != nil {
		return value{}, err
	}
	algorithm, err := d.number(texts[1], "The algorithm", 8)
	if err != nil {
		return value{}, err
	}
	if algorithm == 0 {
		return value{}, invalid("data", "A DS record names the algorithm of a key, such as 13; 0 is none.")
	}
	bytes := map[string]int{"1": 20, "2": 32, "4": 48}[texts[2]]
	if bytes == 0 {
		return value{}, invalid("data", "The digest type of a DS record is 2 (SHA-256), 4 (SHA-384) or, of old, 1 (SHA-1); %s is none.", shown(texts[2]))
	}
	digest, err := d.hex(texts[3:], "The digest", bytes)
	if err != nil {
		return value{}, err
	}
	return value{data: fmt.Sprintf("%d %d %s %s", tag, algorithm, texts[2], digest)}, nil
}

// readTLSA reads RFC 6698 section 2.2.
func readTLSA(d *data) (value, error) {
	texts, err := d.atLeast(4)
	if err != nil {
		return value{}, err
	}
	for i, choice := range []struct {
		among, sentence string
	}{
		{"0123", "The usage of a TLSA record is 0 to 3; 3 says that this is the server's own certificate."},
		{"01", "The selector of a TLSA record is 0 for the whole certificate or 1 for its public key."},
		{"012", "The matching type of a TLSA record is 0 for the data itself, 1 for its SHA-256 or 2 for its SHA-512."},
	} {
		if !oneOf(texts[i], choice.among) {
			return value{}, invalid("data", "%s", choice.sentence)
		}
	}
	bytes := map[string]int{"1": 32, "2": 64}[texts[2]]
	content, err := d.hex(texts[3:], "The data of a TLSA record", bytes)
	if err != nil {
		return value{}, err
	}
	return value{data: fmt.Sprintf("%s %s %s %s", texts[0], texts[1], texts[2], content)}, nil
}

// readSSHFP reads RFC 4255 section 3.2; algorithms 4 and 6 are of RFC 7479 and RFC 8709.
func readSSHFP(d *data) (value, error) {
	texts, err := d.atLeast(3)
	if err != nil {
		return value{}, err
	}
	if !oneOf(texts[0], "12346") {
		return value{}, invalid("data", "The algorithm of an SSHFP record is 1 (RSA), 2 (DSA), 3 (ECDSA), 4 (Ed25519) or 6 (Ed448).")
	}
	bytes := map[string]int{"1": 20, "2": 32}[texts[1]]
	if bytes == 0 {
		return value{}, invalid("data", "The fingerprint type of an SSHFP record is 1 (SHA-1) or 2 (SHA-256).")
	}
	digest, err := d.hex(texts[2:], "A fingerprint", bytes)
	if err != nil {
		return value{}, err
	}
	return value{data: fmt.Sprintf("%s %s %s", texts[0], texts[1], digest)}, nil
}

// oneOf holds for one character out of several.
func oneOf(text, among string) bool {
	for i := range len(among) {
		if text == among[i:i+1] {
			return true
		}
	}
	return false
}
