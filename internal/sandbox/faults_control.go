package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// faultPlane is the part of the control plane for faults and limits:
//
//	POST /_sandbox/fault?service=ecs&action=UpdateService&count=3&error=ThrottlingException
//	POST /_sandbox/limit?service=ecs&action=DescribeServices&rate=20
//
// Further parameters are those of Fault and Limit: message, delay=200ms,
// carried-out=true, and burst. count=0 and rate=0 remove them.
func (s *Server) faultPlane(mux *http.ServeMux) {
	handle := func(pattern string, do func(url.Values) error) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			if err := do(r.URL.Query()); err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		})
	}
	handle("POST /_sandbox/fault", func(q url.Values) error {
		f, err := parseFault(q)
		if err != nil {
			return err
		}
		return s.Fault(f)
	})
	handle("POST /_sandbox/limit", func(q url.Values) error {
		l, err := parseLimit(q)
		if err != nil {
			return err
		}
		return s.Limit(l)
	})
}

func parseFault(q url.Values) (f Fault, err error) {
	f = Fault{Service: q.Get("service"), Action: q.Get("action"), Count: 1, Error: q.Get("error"), Message: q.Get("message")}
	if v := q.Get("count"); v != "" {
		if f.Count, err = strconv.Atoi(v); err != nil {
			return f, badParameter{"count", v, "a number of calls"}
		}
	}
	if v := q.Get("delay"); v != "" {
		if f.Delay, err = time.ParseDuration(v); err != nil {
			return f, badParameter{"delay", v, "a duration such as 200ms"}
		}
	}
	if v := q.Get("carried-out"); v != "" {
		if f.CarriedOut, err = strconv.ParseBool(v); err != nil {
			return f, badParameter{"carried-out", v, "true or false"}
		}
	}
	return f, nil
}

func parseLimit(q url.Values) (l Limit, err error) {
	l = Limit{Service: q.Get("service"), Action: q.Get("action")}
	if l.Rate, err = strconv.ParseFloat(q.Get("rate"), 64); err != nil {
		return l, badParameter{"rate", q.Get("rate"), "a number of calls a second"}
	}
	if v := q.Get("burst"); v != "" {
		if l.Burst, err = strconv.Atoi(v); err != nil {
			return l, badParameter{"burst", v, "a number of calls"}
		}
	}
	return l, nil
}

type badParameter struct{ name, value, must string }

func (e badParameter) Error() string {
	return e.name + " is " + strconv.Quote(e.value) + ": must be " + e.must
}
