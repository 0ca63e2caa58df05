package scheduler

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Name is the name of the service, for which its requests are signed.
const Name = "scheduler"

// Request returns the action of a request, and its body with the values that the
// path and the query have, by the names of the API reference. The action is empty
// for a path that the sandbox does not know.
func Request(r *http.Request, body []byte) (action string, whole []byte) {
	kind, name, named := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	action = map[string]string{
		"POST schedule-groups true": "CreateScheduleGroup",
		"POST schedules true":       "CreateSchedule",
		"GET schedules true":        "GetSchedule",
		"GET schedules false":       "ListSchedules",
	}[r.Method+" "+kind+" "+strconv.FormatBool(named)]
	fields := map[string]any{}
	if len(body) > 0 && json.Unmarshal(body, &fields) != nil {
		return action, body // the action complains about bad JSON
	}
	addQuery(fields, r.URL.Query())
	if named {
		fields["Name"] = name
	}
	whole, err := json.Marshal(fields)
	if err != nil {
		return action, body
	}
	return action, whole
}

// addQuery adds the parameters of a query to the fields of a request.
func addQuery(fields map[string]any, query url.Values) {
	for name := range query {
		switch value := query.Get(name); name {
		case "groupName", "ScheduleGroup":
			fields["GroupName"] = value
		case "MaxResults":
			if n, err := strconv.Atoi(value); err == nil {
				fields[name] = n
			}
		default:
			fields[name] = value
		}
	}
}
