package cmd

import (
	"io"
	"log"
	"strings"

	"github.com/rs/zerolog"
	"github.com/sirupsen/logrus"

	"slipway/cmd/hint"
	"slipway/internal/event"
	"slipway/internal/plain"
)

// newLogger writes for people (text) or machines (json).
func newLogger(w io.Writer, level, format string) zerolog.Logger {
	l, err := zerolog.ParseLevel(level)
	if err != nil {
		l = zerolog.InfoLevel
	}
	if format != "json" {
		w = zerolog.ConsoleWriter{
			Out: w, NoColor: true,
			PartsOrder:  []string{zerolog.LevelFieldName, zerolog.MessageFieldName},
			FormatLevel: levelWord,
			// The message names the service already: the field is for machines.
			FieldsExclude: []string{serviceField},
			FormatPrepare: onLines,
		}
		return zerolog.New(w).Level(l)
	}
	return zerolog.New(jsonLog{w}).Level(l).With().Timestamp().Logger()
}

// serviceField holds the service that a log line is about.
const serviceField = "service"

// levelWord makes warnings and errors stand out and leaves plain news alone.
func levelWord(v any) string {
	switch v {
	case "warn":
		return "WARNING:"
	case "error":
		return "ERROR:"
	case "debug", "trace":
		return "debug:"
	default:
		return "slipway:"
	}
}

// logSink writes the events of a flow to the log.
type logSink struct{ w *cli }

// Report logs one event.
func (s logSink) Report(e event.Event) {
	line := map[event.Level]func() *zerolog.Event{
		event.Debug: s.w.log.Debug, event.Info: s.w.log.Info, event.Warning: s.w.log.Warn, event.Error: s.w.log.Error,
	}[e.Level]()
	if e.Service != "" {
		line = line.Str(serviceField, e.Service)
	}
	text := e.Text
	if e.Err != nil {
		if advice := hint.Of(e.Err); advice != "" {
			text += "\n" + advice
		}
	}
	line.Msg(text)
}

// Revision notes the revision for the end of a CodeBuild job's log.
func (s logSink) Revision(name string) { s.w.jobLog.About(name) }

// report tells the error and what to do about it.
func report(w *cli, err error) {
	w.log.Error().Msg(err.Error())
	if advice := hint.Of(err); advice != "" {
		w.log.Error().Msg("what to do: " + advice)
	}
}

// routeLibraryLogs takes what libraries write by themselves into our own log: the
// warnings of compose-go, which has no other way to tell them, and the remarks of others,
// which are news only to those who look for a fault.
func routeLibraryLogs(w *cli) {
	log.SetFlags(0)
	log.SetOutput(stdlogWriter{w})
	logrus.SetOutput(io.Discard)
	logrus.SetLevel(logrus.WarnLevel)
	logrus.StandardLogger().ReplaceHooks(logrus.LevelHooks{})
	logrus.AddHook(logHook{w})
}

// stdlogWriter takes the lines of the standard library's logger.
type stdlogWriter struct{ w *cli }

func (r stdlogWriter) Write(line []byte) (int, error) {
	r.w.log.Debug().Msg(strings.TrimRight(string(line), "\n"))
	return len(line), nil
}

type logHook struct{ w *cli }

func (logHook) Levels() []logrus.Level { return logrus.AllLevels }

// Fire tells compose-go's warnings, which have no fields, from the rest. What it says of
// the obsolete version key is no news to anybody.
func (h logHook) Fire(e *logrus.Entry) error {
	if len(e.Data) > 0 || strings.Contains(e.Message, "`version` is obsolete") {
		h.w.log.Debug().Fields(map[string]any(e.Data)).Msg(plain.Text(e.Message))
		return nil
	}
	h.w.log.Warn().Msg(plain.Text(e.Message))
	return nil
}
