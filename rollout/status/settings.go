package status

import (
	"strings"

	"slipway/rollout"
	"slipway/rollout/settings"
)

// settings warns if a service does not run the settings of the compose file.
func (r *builder) settings(st *rollout.Service) {
	d, ok := r.services.Derived[st.Ref]
	if !ok {
		return
	}
	found, err := settings.Compare(st.Ref, st.State.Definition, d)
	if err != nil {
		r.warn("%s: the settings cannot be compared: %v", st.Ref, err)
		return
	}
	var fields []string
	for _, c := range found.Changes {
		fields = append(fields, c.Where())
	}
	if len(fields) > 0 {
		r.problem(rollout.OtherSettings, "", "%s: its settings are not those of the compose file: %s", st.Ref, strings.Join(fields, ", "))
	}
}
