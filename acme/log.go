package acme

import (
	"context"
	"log/slog"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newZap gives certmagic a logger that ends in ours. All it says is for debugging: how a step went is logged by
// the Manager, once.
func newZap(log *slog.Logger) *zap.Logger {
	return zap.New(zapCore{log.Handler()})
}

// quiet gives acmez a logger that ends in ours in the same way.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(debugHandler{log.Handler()}) }

// debugHandler takes everything for debugging.
type debugHandler struct{ slog.Handler }

func (h debugHandler) Enabled(ctx context.Context, _ slog.Level) bool {
	return h.Handler.Enabled(ctx, slog.LevelDebug)
}

func (h debugHandler) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return h.Handler.Handle(ctx, r)
}

func (h debugHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return debugHandler{h.Handler.WithAttrs(attrs)}
}

func (h debugHandler) WithGroup(name string) slog.Handler {
	return debugHandler{h.Handler.WithGroup(name)}
}

type zapCore struct {
	handler slog.Handler
}

var _ zapcore.Core = zapCore{}

func (c zapCore) Enabled(zapcore.Level) bool {
	return c.handler.Enabled(context.Background(), slog.LevelDebug)
}

func (c zapCore) With(fields []zapcore.Field) zapcore.Core {
	return zapCore{c.handler.WithAttrs(attrs(fields))}
}

func (c zapCore) Check(e zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if !c.Enabled(e.Level) {
		return checked
	}
	return checked.AddCore(e, c)
}

func (c zapCore) Write(e zapcore.Entry, fields []zapcore.Field) error {
	record := slog.NewRecord(e.Time, slog.LevelDebug, e.Message, 0)
	record.AddAttrs(slog.String("certmagic", e.LoggerName), slog.String("severity", e.Level.String()))
	record.AddAttrs(attrs(fields)...)
	return c.handler.Handle(context.Background(), record)
}

func (zapCore) Sync() error { return nil }

func attrs(fields []zapcore.Field) []slog.Attr {
	encoder := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(encoder)
	}
	list := make([]slog.Attr, 0, len(encoder.Fields))
	for key, value := range encoder.Fields {
		list = append(list, slog.Any(key, value))
	}
	return list
}
