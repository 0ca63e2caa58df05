// Package event carries the reports of a flow to whoever renders them: the
// command line prints them as text or JSON. The flows themselves neither print
// nor log.
package event

// Level is the weight of an event.
type Level int

// The levels, lightest first.
const (
	// Debug is of use to those who look for a fault.
	Debug Level = iota
	// Info is progress.
	Info
	// Warning is something that a reader should know and that stops nothing.
	Warning
	// Error is a failure. The command fails too.
	Error
)

// Event is something that happened in a flow.
type Event struct {
	Level Level
	// Service is the component or ECS service that it is about, if it is about
	// one alone. Text names it as well.
	Service string
	// Text is a sentence or a few lines. It may quote what others wrote.
	Text string
	// Err is the error that the text is of, if there is one: the renderer may know a
	// hint for it.
	Err error
}

// Sink receives events, also from several goroutines at once.
type Sink interface {
	// Report receives one event.
	Report(Event)
	// Revision receives the name of the revision that the flow works on, each
	// time that it changes.
	Revision(name string)
}
