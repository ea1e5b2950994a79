package proxy

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"time"
)

// serverLog receives what net/http logs. Nearly all of it is the doing of clients: it goes to debug, and of failed TLS
// handshakes, of which every scanner makes thousands, one a second at most. A panic is ours, and so is a listener that
// cannot accept, which net/http tries again up to 200 times a second.
type serverLog struct {
	log        *slog.Logger
	handshakes sampler
	accepts    sampler
}

func newServerLog(logger *slog.Logger) *serverLog {
	return &serverLog{log: logger, handshakes: sampler{every: time.Second}, accepts: sampler{every: 10 * time.Second}}
}

func (l *serverLog) Write(line []byte) (int, error) {
	ctx := context.Background()
	text := bytes.TrimRight(line, "\n")
	switch {
	case bytes.Contains(text, []byte(": panic serving ")):
		l.log.Error("a request handler panicked", "error", string(text))
	case bytes.HasPrefix(text, []byte("http: Accept error: ")):
		if omitted, ok := l.accepts.due(time.Now()); ok {
			detail := strings.TrimPrefix(string(text), "http: Accept error: ")
			l.log.Error("connections cannot be accepted", "error", detail, "omitted", omitted)
		}
	case !l.log.Enabled(ctx, slog.LevelDebug):
	case bytes.HasPrefix(text, []byte("http: TLS handshake error")):
		if omitted, ok := l.handshakes.due(time.Now()); ok {
			l.log.Debug(strings.TrimPrefix(string(text), "http: "), "omitted", omitted)
		}
	default:
		l.log.Debug(string(text))
	}
	return len(line), nil
}
