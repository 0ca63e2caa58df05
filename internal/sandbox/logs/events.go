package logs

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"slipway/internal/sandbox/awsapi"
)

type putLogEventsIn struct {
	streamID
	LogEvents []struct {
		Timestamp int64  `json:"timestamp"`
		Message   string `json:"message"`
	} `json:"logEvents"`
}

type putLogEventsOut struct {
	NextSequenceToken string             `json:"nextSequenceToken"`
	Rejected          *rejectedLogEvents `json:"rejectedLogEventsInfo,omitempty"`
}

// rejectedLogEvents has the indices from which, or up to which, events were
// rejected.
type rejectedLogEvents struct {
	TooNew *int `json:"tooNewLogEventStartIndex,omitempty"`
	TooOld *int `json:"tooOldLogEventEndIndex,omitempty"`
}

// putLogEvents accepts events in order of their times, at most two hours ahead
// and two weeks old, as the reference of PutLogEvents has it.
func (l *Groups) putLogEvents(c awsapi.Call, in putLogEventsIn) (out putLogEventsOut, err error) {
	if n := len(in.LogEvents); n < 1 || n > 10_000 {
		return out, awsapi.Errorf("InvalidParameterException", "%d log events: there must be 1 to 10000", n)
	}
	for i := 1; i < len(in.LogEvents); i++ {
		if in.LogEvents[i].Timestamp < in.LogEvents[i-1].Timestamp {
			return out, awsapi.NewError("InvalidParameterException",
				"Log events in a single PutLogEvents request must be in chronological order.")
		}
	}
	now := l.clock.Now()
	newest, oldest := now.Add(2*time.Hour).UnixMilli(), now.Add(-14*24*time.Hour).UnixMilli()
	err = l.lockedStream(c, in.streamID, func(s *stream) {
		var rejected rejectedLogEvents
		for i, e := range in.LogEvents {
			switch {
			case e.Timestamp < oldest:
				end := i + 1
				rejected.TooOld = &end
			case e.Timestamp > newest:
				if rejected.TooNew == nil {
					rejected.TooNew = &i
				}
			default:
				s.insert(event{e.Timestamp, e.Message, now.UnixMilli()})
			}
		}
		if rejected != (rejectedLogEvents{}) {
			out.Rejected = &rejected
		}
		out.NextSequenceToken = fmt.Sprintf("%056d", len(s.events))
	})
	return out, err
}

func (l *Groups) lockedStream(c awsapi.Call, in streamID, f func(*stream)) error {
	return l.lockedGroup(c, in.groupID, func(g *group) error {
		s := g.streams[in.LogStreamName]
		if s == nil {
			return errNoStream
		}
		f(s)
		return nil
	})
}

type getLogEventsIn struct {
	streamID
	StartTime     *int64 `json:"startTime"`
	EndTime       *int64 `json:"endTime"`
	Limit         *int   `json:"limit"`
	StartFromHead bool   `json:"startFromHead"`
	NextToken     string `json:"nextToken"`
}

type getLogEventsOut struct {
	Events            []event `json:"events"`
	NextForwardToken  string  `json:"nextForwardToken"`
	NextBackwardToken string  `json:"nextBackwardToken"`
}

// maxEventBytes is the limit for the messages of one answer of GetLogEvents.
const maxEventBytes = 1 << 20

// getLogEvents returns events from the oldest to the newest, the last ones
// unless startFromHead is set. A token names the event that its page begins
// after (f/) or ends before (b/). At the end of the stream the same token is
// returned, as the reference of GetLogEvents has it.
func (l *Groups) getLogEvents(c awsapi.Call, in getLogEventsIn) (out getLogEventsOut, err error) {
	limit := 10_000
	if in.Limit != nil {
		if limit = *in.Limit; limit < 1 || limit > 10_000 {
			return out, awsapi.Errorf("InvalidParameterException", "limit is %d: it must be 1 to 10000", limit)
		}
	}
	at, forward, err := in.position()
	if err != nil {
		return out, err
	}
	out.Events = []event{}
	err = l.lockedStream(c, in.streamID, func(s *stream) {
		first, last := s.between(in.StartTime, in.EndTime)
		if forward {
			first = min(max(first, at), last)
			last = first + fits(s.events[first:last], limit, false)
		} else {
			last = max(min(last, at), first)
			first = last - fits(s.events[first:last], limit, true)
		}
		out.Events = append(out.Events, s.events[first:last]...)
		out.NextForwardToken = fmt.Sprintf("f/%056d", last)
		out.NextBackwardToken = fmt.Sprintf("b/%056d", first)
	})
	return out, err
}

// position returns the index where a page begins or, with forward unset, ends.
func (in getLogEventsIn) position() (at int, forward bool, err error) {
	switch kind, number, _ := strings.Cut(in.NextToken, "/"); {
	case in.NextToken == "" && in.StartFromHead:
		return 0, true, nil
	case in.NextToken == "":
		return int(^uint(0) >> 1), false, nil
	case kind != "f" && kind != "b":
	default:
		if at, err = strconv.Atoi(number); err == nil && at >= 0 {
			return at, kind == "f", nil
		}
	}
	return 0, false, awsapi.NewError("InvalidParameterException", "The specified nextToken is invalid.")
}

// between returns the range of the events from start on and before end, both in
// milliseconds since 1970.
func (s *stream) between(start, end *int64) (first, last int) {
	last = len(s.events)
	for first < last && start != nil && s.events[first].Timestamp < *start {
		first++
	}
	for last > first && end != nil && s.events[last-1].Timestamp >= *end {
		last--
	}
	return first, last
}

// fits returns the number of events, from one end on, that fit into one answer.
func fits(events []event, limit int, fromEnd bool) (n int) {
	size := 0
	for n < len(events) && n < limit {
		e := events[n]
		if fromEnd {
			e = events[len(events)-1-n]
		}
		if size += len(e.Message); n > 0 && size > maxEventBytes {
			break
		}
		n++
	}
	return n
}
