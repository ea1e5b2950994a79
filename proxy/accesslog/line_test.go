package accesslog

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	"berth/sites"
)

var noon = time.Date(2026, 3, 14, 12, 0, 0, 250e6, time.FixedZone("elsewhere", 3600))

func hitOf(site sites.SiteID, name, target string) sites.Hit {
	return sites.Hit{
		Site: site, SiteName: name, Host: name + ".example.org", Time: noon, Client: netip.MustParseAddr("192.0.2.7"), Method: "GET",
		Target: target, Proto: "HTTP/2.0", Status: 200, Bytes: 5, Duration: 1500 * time.Microsecond, FirstByte: time.Millisecond,
	}
}

func TestCombinedLine(t *testing.T) {
	hit := hitOf(1, "shop", "/a?b=c")
	hit.UserAgent, hit.Referrer = "curl/8", "https://other.test/"
	want := `192.0.2.7 - - [14/Mar/2026:11:00:00 +0000] "GET /a?b=c HTTP/2.0" 200 5 "https://other.test/" "curl/8"` + "\n"
	if got := string(Combined.appendLine(nil, &hit)); got != want {
		t.Errorf("got  %swant %s", got, want)
	}
	bare := hitOf(1, "shop", "/")
	bare.Client = netip.Addr{}
	if got := string(Combined.appendLine(nil, &bare)); !strings.HasPrefix(got, "- - - [") || !strings.HasSuffix(got, `"-" "-"`+"\n") {
		t.Errorf("without address, referrer and browser: %s", got)
	}
}

func TestJSONLine(t *testing.T) {
	hit := hitOf(1, "shop", "/a")
	hit.UserAgent, hit.Cache = "n\u00e9\U0001F600\xff\u009b", "berth; hit"
	line := JSON.appendLine(nil, &hit)
	var got map[string]any
	if err := json.Unmarshal(line, &got); err != nil {
		t.Fatalf("%v: %s", err, line)
	}
	for name, want := range map[string]any{
		"time": "2026-03-14T11:00:00.250Z", "client": "192.0.2.7", "host": "shop.example.org", "target": "/a", "status": 200.0, "bytes": 5.0,
		"first_byte_ms": 1.0, "duration_ms": 1.5, "user_agent": "n\u00e9\U0001F600\ufffd\u009b", "cache": "berth; hit",
	} {
		if got[name] != want {
			t.Errorf("%s is %#v, want %#v", name, got[name], want)
		}
	}
}

// forgeries are what clients may send to make up lines and fields, or to play with a terminal.
var forgeries = []string{
	"\n192.0.2.9 - - [forged]", "\r\n", `" 200 0 "-" "-`, `\"`, `","status":500,"x":"`, "\x1b[2J", "\x00\x7f\x9b", "\u2028\u0085", "\xff\xfe", "tab\there",
}

func TestNoClientForgesLines(t *testing.T) {
	for _, evil := range forgeries {
		hit := hitOf(1, "shop", evil)
		hit.Method, hit.Proto, hit.Referrer, hit.UserAgent, hit.Host, hit.Cache = evil, evil, evil, evil, evil, evil
		combined := string(Combined.appendLine(nil, &hit))
		if strings.Count(combined, `"`) != 6 || strings.Count(combined, "\n") != 1 || !printable(combined) {
			t.Errorf("%q makes %q", evil, combined)
		}
		line := string(JSON.appendLine(nil, &hit))
		var got struct {
			Status int
			Target string
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil || got.Status != 200 || got.Target != strings.ToValidUTF8(evil, "\ufffd") && !strings.ContainsRune(got.Target, '\ufffd') {
			t.Errorf("%q makes %q, %v, read as %+v", evil, line, err, got)
		}
		if strings.Count(line, "\n") != 1 || !printable(line) {
			t.Errorf("%q makes %q", evil, line)
		}
	}
}

func printable(line string) bool {
	return !strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' || r > '~' })
}

func FuzzLine(f *testing.F) {
	for _, evil := range forgeries {
		f.Add(evil)
	}
	f.Fuzz(func(t *testing.T, text string) {
		hit := hitOf(1, "shop", text)
		hit.UserAgent = text
		for _, format := range []Format{Combined, JSON} {
			line := string(format.appendLine(nil, &hit))
			if strings.Count(line, "\n") != 1 || !printable(line) {
				t.Errorf("%s: %q", format, line)
			}
			if format == JSON && !json.Valid([]byte(line)) {
				t.Errorf("no JSON: %q", line)
			}
		}
	})
}

func BenchmarkLine(b *testing.B) {
	hit := hitOf(1, "shop", "/articles/2026/03/how-to-moor?page=2")
	hit.UserAgent, hit.Referrer = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "https://other.test/page"
	for _, format := range []Format{Combined, JSON} {
		b.Run(string(format), func(b *testing.B) {
			b.ReportAllocs()
			var line []byte
			for b.Loop() {
				line = format.appendLine(line[:0], &hit)
			}
		})
	}
}
