package accesslog

import (
	"net/netip"
	"strconv"
	"time"
	"unicode/utf8"

	"berth/sites"
)

// Format is how a request is written down, one line for each.
type Format string

const (
	Combined Format = "combined" // Apache's and nginx's format of that name
	JSON     Format = "json"     // one object a line, with all that is known
	Off      Format = "off"      // no files; who follows a log sees it in the combined format
)

// appendLine writes one hit. Whatever the client sent, it is one line of printable ASCII, with its fields where they
// belong.
func (f Format) appendLine(b []byte, h *sites.Hit) []byte {
	if f == JSON {
		return appendJSON(b, h)
	}
	return appendCombined(b, h)
}

func appendCombined(b []byte, h *sites.Hit) []byte {
	b = appendAddr(b, h.Client)
	b = append(b, " - - ["...)
	b = h.Time.UTC().AppendFormat(b, "02/Jan/2006:15:04:05 -0700")
	b = append(b, `] "`...)
	b = appendEscaped(b, h.Method)
	b = append(b, ' ')
	b = appendEscaped(b, h.Target)
	b = append(b, ' ')
	b = appendEscaped(b, h.Proto)
	b = append(b, `" `...)
	b = strconv.AppendInt(b, int64(h.Status), 10)
	b = append(b, ' ')
	b = strconv.AppendInt(b, h.Bytes, 10)
	b = append(b, ` "`...)
	b = appendEscaped(b, orDash(h.Referrer))
	b = append(b, `" "`...)
	b = appendEscaped(b, orDash(h.UserAgent))
	return append(b, '"', '\n')
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

func appendAddr(b []byte, addr netip.Addr) []byte {
	if !addr.IsValid() {
		return append(b, '-')
	}
	return addr.WithZone("").AppendTo(b)
}

const hex = "0123456789abcdef"

// appendEscaped writes bytes that are not printable ASCII, quotes and backslashes as \xhh, as nginx does.
func appendEscaped(b []byte, text string) []byte {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			b = append(b, '\\', 'x', hex[c>>4], hex[c&15])
		} else {
			b = append(b, c)
		}
	}
	return b
}

func appendJSON(b []byte, h *sites.Hit) []byte {
	b = append(b, `{"time":"`...)
	b = h.Time.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z07:00")
	b = append(b, `","client":"`...)
	b = appendAddr(b, h.Client)
	b = append(b, '"')
	b = appendField(b, "host", h.Host)
	b = appendField(b, "method", h.Method)
	b = appendField(b, "target", h.Target)
	b = appendField(b, "proto", h.Proto)
	b = append(b, `,"status":`...)
	b = strconv.AppendInt(b, int64(h.Status), 10)
	b = append(b, `,"bytes":`...)
	b = strconv.AppendInt(b, h.Bytes, 10)
	b = appendMillis(b, "first_byte_ms", h.FirstByte)
	b = appendMillis(b, "duration_ms", h.Duration)
	b = appendField(b, "referrer", h.Referrer)
	b = appendField(b, "user_agent", h.UserAgent)
	if h.Cache != "" {
		b = appendField(b, "cache", h.Cache)
	}
	return append(b, '}', '\n')
}

func appendMillis(b []byte, name string, d time.Duration) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":`...)
	return strconv.AppendFloat(b, float64(d.Microseconds())/1000, 'f', -1, 64)
}

// appendField writes text with all but printable ASCII as \uhhhh, so that it does no harm on a terminal either.
func appendField(b []byte, name, text string) []byte {
	b = append(b, `,"`...)
	b = append(b, name...)
	b = append(b, `":"`...)
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case ' ' <= r && r <= '~':
			b = append(b, byte(r))
		case r > 0xffff:
			r -= 0x10000
			b = appendUnit(appendUnit(b, 0xd800+r>>10), 0xdc00+r&0x3ff)
		default: // what is no UTF-8 arrives here as utf8.RuneError
			b = appendUnit(b, min(r, utf8.MaxRune))
		}
	}
	return append(b, '"')
}

// appendUnit writes one UTF-16 code unit.
func appendUnit(b []byte, u rune) []byte {
	return append(b, '\\', 'u', hex[u>>12&15], hex[u>>8&15], hex[u>>4&15], hex[u&15])
}
