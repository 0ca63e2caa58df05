package sandbox

import (
	"io"
	"net/http"
	"sync"
)

// Call is a request as the server received it.
type Call struct {
	// Service is "ecr", "ecs", "codedeploy", "codepipeline", "logs",
	// "application-autoscaling", "events", "scheduler", "cloudformation",
	// "secretsmanager", "ssm", "s3", "sts", "iam" or "registry".
	Service string `json:"service"`
	// Action is the API's action ("PutImage", "PutObject"), or the method and
	// what it was for on the registry: "PUT manifest", "POST upload",
	// "PATCH upload", "PUT upload", "HEAD blob", "GET blob", "GET tags" …
	Action string `json:"action"`
	// Repository is the ECR repository, or the S3 bucket; empty where the
	// request names none or several.
	Repository string `json:"repository,omitempty"`
	// Reference is the tag or digest on the registry, the S3 object's key, or
	// the names of the ECS services or the task definition that a call to ECS
	// names, clusters and ARNs left off, several with a comma in between; with
	// the other services the deployment or its group, the log stream or its
	// group, the resources that scale, the pipeline, the rule, the schedule, the
	// stack, the secret and the parameters.
	Reference string `json:"reference,omitempty"`
	// BytesIn and BytesOut count the bodies of request and answer.
	BytesIn  int64 `json:"bytesIn"`
	BytesOut int64 `json:"bytesOut"`
	// Status is the answer's HTTP status, 0 while there is none.
	Status int `json:"status"`
}

// recorder keeps calls in the order in which they came. Each is added before
// its answer is written, so that a client that has the answer finds the call.
type recorder struct {
	mu    sync.Mutex
	calls []*Call
}

func (r *recorder) change(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f()
}

// Calls returns all requests so far, oldest first, except those to the control
// plane below /_sandbox/.
func (s *Server) Calls() []Call {
	s.calls.mu.Lock()
	defer s.calls.mu.Unlock()
	out := make([]Call, len(s.calls.calls))
	for i, c := range s.calls.calls {
		out[i] = *c
	}
	return out
}

// ResetCalls removes the calls so far.
func (s *Server) ResetCalls() {
	s.calls.change(func() { s.calls.calls = nil })
}

// watched counts the bytes of a request and its answer.
type watched struct {
	http.ResponseWriter
	body io.ReadCloser
	rec  *recorder
	call *Call
}

// watch adds a call and returns the pair to serve it with.
func (r *recorder) watch(w http.ResponseWriter, req *http.Request) (*watched, *http.Request) {
	out := &watched{ResponseWriter: w, body: req.Body, rec: r, call: &Call{}}
	r.change(func() { r.calls = append(r.calls, out.call) })
	req = req.WithContext(req.Context()) // a shallow copy, to change the body of
	req.Body = (*watchedBody)(out)
	return out, req
}

// name sets the service and the action of the call, once they are known.
func (w *watched) name(service, action, repository, reference string) {
	w.rec.change(func() {
		w.call.Service, w.call.Action = service, action
		w.call.Repository, w.call.Reference = repository, reference
	})
}

// WriteHeader records the first status that is not informational.
func (w *watched) WriteHeader(status int) {
	w.rec.change(func() {
		if w.call.Status == 0 && status >= http.StatusOK {
			w.call.Status = status
		}
	})
	w.ResponseWriter.WriteHeader(status)
}

// Write counts before it writes, because the client may read the calls at once.
func (w *watched) Write(p []byte) (int, error) {
	w.rec.change(func() {
		if w.call.Status == 0 {
			w.call.Status = http.StatusOK
		}
		w.call.BytesOut += int64(len(p))
	})
	return w.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (w *watched) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// done gives an answer without a body or an explicit status the status 200.
func (w *watched) done() {
	w.rec.change(func() {
		if w.call.Status == 0 {
			w.call.Status = http.StatusOK
		}
	})
}

type watchedBody watched

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	b.rec.change(func() { b.call.BytesIn += int64(n) })
	return n, err
}

func (b *watchedBody) Close() error { return b.body.Close() }
