package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"slipway/internal/sandbox/ecs"
)

// SetECSSpeed sets how much faster than the server's clock the time of ECS runs
// from now on, in all regions. The error wraps ErrOption if the speed is not
// positive.
func (s *Server) SetECSSpeed(speed float64) error {
	if err := checkSpeed(speed); err != nil {
		return err
	}
	s.ecs.SetSpeed(speed)
	return nil
}

func checkSpeed(speed float64) error {
	if !(speed > 0) || speed > 1e6 {
		return fmt.Errorf("%w: ECS speed %g: must be above 0, at most a million", ErrOption, speed)
	}
	return nil
}

// SetECSQuirks sets the quirks of ECS from now on, in all regions.
func (s *Server) SetECSQuirks(q ECSQuirks) {
	s.ecs.SetQuirks(q)
}

// ecsPlane is the part of the control plane for ECS:
//
//	GET  /_sandbox/ecs                     speed and quirks
//	POST /_sandbox/ecs?speed=50            changes the speed
//	POST /_sandbox/ecs?list-delay=true     changes a quirk: separate-ids, list-delay,
//	                                       platform-digests, early-success, late-current,
//	                                       no-new-fields
func (s *Server) ecsPlane(mux *http.ServeMux) {
	show := func(w http.ResponseWriter) {
		speed, quirks := s.ecs.Settings()
		writeControl(w, struct {
			Speed float64 `json:"speed"`
			ecs.Quirks
		}{speed, quirks})
	}
	mux.HandleFunc("GET /_sandbox/ecs", func(w http.ResponseWriter, _ *http.Request) { show(w) })
	mux.HandleFunc("POST /_sandbox/ecs", func(w http.ResponseWriter, r *http.Request) {
		if err := s.setECS(r.URL.Query()); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		show(w)
	})
}

func (s *Server) setECS(q url.Values) error {
	_, quirks := s.ecs.Settings()
	known := map[string]*bool{
		"separate-ids": &quirks.SeparateIDs, "list-delay": &quirks.ListDelay, "platform-digests": &quirks.PlatformDigests,
		"early-success": &quirks.EarlySuccess, "late-current": &quirks.LateCurrent, "no-new-fields": &quirks.NoNewFields,
	}
	speed := 0.0
	for name := range q {
		v, err := q.Get(name), error(nil)
		switch field, ok := known[name]; {
		case ok:
			if *field, err = strconv.ParseBool(v); err != nil {
				return badParameter{name, v, "true or false"}
			}
		case name == "speed":
			if speed, err = strconv.ParseFloat(v, 64); err != nil || checkSpeed(speed) != nil {
				return badParameter{name, v, "a number above 0"}
			}
		default:
			return fmt.Errorf("%s is not known: it must be speed or a quirk", name)
		}
	}
	s.SetECSQuirks(quirks)
	if speed == 0 {
		return nil
	}
	return s.SetECSSpeed(speed)
}
