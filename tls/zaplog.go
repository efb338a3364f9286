package edgetls

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// zapLogger is a logger for certmagic that writes to log one level lower: the outcome of every
// attempt is logged by this package, and certmagic's lines are the details of it.
func zapLogger(log *slog.Logger) *zap.Logger {
	return zap.New(bridge{log})
}

// bridge is a zapcore.Core in front of a slog.Logger.
type bridge struct{ log *slog.Logger }

func level(l zapcore.Level) slog.Level {
	switch {
	case l <= zapcore.InfoLevel:
		return slog.LevelDebug
	case l == zapcore.WarnLevel:
		return slog.LevelInfo
	default:
		return slog.LevelWarn
	}
}

// Enabled asks the slog handler.
func (b bridge) Enabled(l zapcore.Level) bool {
	return b.log.Enabled(context.Background(), level(l))
}

// With keeps fields for all later entries.
func (b bridge) With(fields []zapcore.Field) zapcore.Core {
	return bridge{slog.New(b.log.Handler().WithAttrs(attrs(fields)))}
}

// Check adds the core to ce when the entry would be written.
func (b bridge) Check(entry zapcore.Entry, ce *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if b.Enabled(entry.Level) {
		return ce.AddCore(entry, b)
	}
	return ce
}

// Write hands the entry over.
func (b bridge) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	record := slog.NewRecord(entry.Time, level(entry.Level), entry.Message, 0)
	if entry.LoggerName != "" {
		record.AddAttrs(slog.String("part", entry.LoggerName))
	}
	record.AddAttrs(attrs(fields)...)
	return b.log.Handler().Handle(context.Background(), record)
}

// Sync does nothing: slog does not buffer.
func (b bridge) Sync() error { return nil }

func attrs(fields []zapcore.Field) []slog.Attr {
	encoded := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(encoded)
	}
	out := make([]slog.Attr, 0, len(encoded.Fields))
	for _, key := range slices.Sorted(maps.Keys(encoded.Fields)) {
		out = append(out, slog.Any(key, encoded.Fields[key]))
	}
	return out
}
