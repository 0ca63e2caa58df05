package diagnose

import (
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/plain"
)

// With a load balancer's health checks failing, the container behind it is the
// one to read, though its neighbour exited worse.
func TestLoggedBehindBalancer(t *testing.T) {
	task := exited(0)
	task.StoppedReason = aws.String("Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/0123456789abcdef)")
	task.Containers = append(task.Containers, types.Container{Name: aws.String("sidecar"), ExitCode: aws.Int32(1)})
	e := evidenceOf()
	if c := e.loggedContainer(task); *c.Name != "sidecar" {
		t.Errorf("without a load balancer: %s", *c.Name)
	}
	e.LoadBalanced = []string{"web"}
	if c := e.loggedContainer(task); *c.Name != "web" {
		t.Errorf("behind the load balancer: %s, want web", *c.Name)
	}
}

func TestCleanLines(t *testing.T) {
	long := strings.Repeat("ä", 300) + "the end"
	endless := "x" + strings.Repeat("ä", lineBytes)
	tests := map[string][]string{
		"plain":                              {"plain"},
		"\x1b[31mred\x1b[0m":                 {"red"},
		"\x1b]0;title\x07text":               {"text"},
		"\x1b]8;;http://x\x1b\\link\x1b]8;;": {"link"},
		"tab\there":                          {"tab here"},
		"back\bspace\x00":                    {`back\x08space\x00`},
		"c1 \u009b31m":                       {"c1"},
		"turned \u202eretni":                 {`turned \u202eretni`},
		"bad \xff byte":                      {`bad \xff byte`},
		"one\r\ntwo\n\n":                     {"one", "two"},
		long:                                 {long},
		endless:                              {"x" + strings.Repeat("ä", lineBytes/2-1) + "…"},
		" \x1b[0m ":                          nil,
	}
	for message, want := range tests {
		if got := CleanLines(message); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
}

func FuzzCleanLines(f *testing.F) {
	for _, s := range []string{"plain", "\x1b[31mred", "\x1b]0;t", "a\r\nb", "\xff\xfe", "\u202e", "\x1b\x1b[[", "\x9b0m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, message string) {
		for _, line := range append(CleanLines(message), plain.Line(message)) {
			if len(line) > lineBytes+len("…") && line != plain.Line(message) {
				t.Errorf("%q gave %d bytes", message, len(line))
			}
			if !utf8.ValidString(line) || strings.ContainsFunc(line, unicode.IsControl) {
				t.Errorf("%q gave %q", message, line)
			}
		}
	})
}
