package plain

import (
	"fmt"
	"io"
	"reflect"
)

// Sprintf is fmt.Sprintf with Text for the arguments, numbers left out. The
// format is printed as it is.
func Sprintf(format string, args ...any) string {
	return fmt.Sprintf(format, wrap(args)...)
}

// Fprintf is Sprintf to a writer.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	return fmt.Fprintf(w, format, wrap(args)...)
}

func wrap(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		out[i] = foreign{a}
		if k := reflect.ValueOf(a).Kind(); k >= reflect.Int && k <= reflect.Float64 {
			out[i] = a // also for the * of a width
		}
	}
	return out
}

// foreign is an argument that others may have written.
type foreign struct{ value any }

// Format escapes, also for %s and %v with a width. %q escapes by itself; what
// strconv leaves, such as an escaped tab, stays.
func (f foreign) Format(s fmt.State, verb rune) {
	value := f.value
	if verb == 's' || verb == 'v' {
		value = Text(fmt.Sprint(value))
	}
	_, _ = io.WriteString(s, Text(fmt.Sprintf(fmt.FormatString(s, verb), value))) // its errors are fmt's
}
