package status

import (
	"strings"

	"slipway/rollout"
	"slipway/rollout/settings"
	"slipway/rollout/task/diff"
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
	switch {
	case len(fields) == 0:
	case found.Written == diff.Proven:
		r.problem(rollout.OtherSettings, "", "%s: it runs settings that slipway wrote and the compose file does not have, as after a rollback or a change of the file: %s", st.Ref, strings.Join(fields, ", "))
	default:
		r.problem(rollout.OtherSettings, "", "%s: its settings are not those of the compose file: %s", st.Ref, strings.Join(fields, ", "))
	}
}
