package sandbox

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// ecrPlane is the part of the control plane for the limits of ECR.
func (s *Server) ecrPlane(mux *http.ServeMux) {
	mux.HandleFunc("GET /_sandbox/ecr", func(w http.ResponseWriter, _ *http.Request) { writeControl(w, s.ECRLimits()) })
	mux.HandleFunc("POST /_sandbox/ecr", func(w http.ResponseWriter, r *http.Request) {
		if err := s.setECR(r.URL.Query()); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeControl(w, s.ECRLimits())
	})
}

func (s *Server) setECR(q url.Values) error {
	limits := s.ECRLimits()
	numbers := map[string]*int{"tags-per-image": &limits.TagsPerImage, "images-per-repository": &limits.ImagesPerRepository}
	for name := range q {
		v, err := q.Get(name), error(nil)
		switch field, ok := numbers[name]; {
		case ok:
			if *field, err = strconv.Atoi(v); err != nil || *field < 1 {
				return badParameter{name, v, "a number above 0"}
			}
		case name == "refuse-nested":
			if limits.RefuseNested, err = strconv.ParseBool(v); err != nil {
				return badParameter{name, v, "true or false"}
			}
		default:
			return fmt.Errorf("%s is not known: it must be tags-per-image, images-per-repository or refuse-nested", name)
		}
	}
	s.SetECRLimits(limits)
	return nil
}
