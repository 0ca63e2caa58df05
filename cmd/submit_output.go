package cmd

import (
	"fmt"
	"sync"

	"slipway/artifact/source"
	"slipway/internal/phrase"
)

// submitted is what `submit --output json` prints.
type submitted struct {
	URL string `json:"url"`
	// VersionID is the object's version, empty in a bucket that keeps none.
	VersionID string `json:"versionId"`
	// State is uploaded, or unchanged if the content was there already.
	State string `json:"state"`
	// Content is the sha256 of names, modes, links and bytes, whatever the compression.
	Content string `json:"content"`
	// Files counts links too.
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"` // of the zip
	// Pipeline is there with --wait.
	Pipeline *followedPipeline `json:"pipeline,omitempty"`
}

type followedPipeline struct {
	Name        string         `json:"name"`
	ExecutionID string         `json:"executionId,omitempty"`
	Status      string         `json:"status,omitempty"`
	Failed      []failedAction `json:"failed,omitempty"`
}

type failedAction struct {
	Stage   string `json:"stage"`
	Action  string `json:"action"`
	Message string `json:"message,omitempty"`
	URL     string `json:"url,omitempty"`
}

// logChanges says on stderr what became of the archive.
func (r submitted) tell(w *cli, done source.Submission) {
	version := ""
	if r.VersionID != "" {
		version = " (version " + r.VersionID + ")"
	}
	if done.Changed {
		w.Infof("uploaded %s%s", r.URL, version)
	} else {
		w.Infof("nothing changed: %s holds this content already%s", r.URL, version)
	}
	if done.Unseen != nil {
		w.Warnf("what was at %s could not be looked at, so it was uploaded without comparing (allow s3:GetObject and s3:ListBucket): %v", r.URL, done.Unseen)
	}
	if r.VersionID == "" {
		w.Warnf("the bucket keeps no versions: CodePipeline's S3 source needs versioning (aws s3api put-bucket-versioning)")
	}
}

// progressSteps is how many lines an upload gets at most where no line can be redrawn.
const progressSteps = 10

// uploadProgress shows how much of an archive has arrived.
type uploadProgress struct {
	w     *cli
	total int64

	mu    sync.Mutex
	step  int64
	drawn bool
}

func newUploadProgress(w *cli, total int64) *uploadProgress {
	return &uploadProgress{w: w, total: total}
}

func (p *uploadProgress) report(done int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if done >= p.total && p.step == 0 && !p.drawn {
		return // it arrived at once: the line about the end says as much
	}
	line := fmt.Sprintf("uploaded %s of %s (%d %%)", phrase.ByteCount(&done), phrase.ByteCount(&p.total), 100*done/p.total)
	if screen := p.w.screen(); screen.Live() {
		p.drawn = true
		screen.Redraw(line)
		return
	}
	if step := progressSteps * done / p.total; step > p.step {
		p.step = step
		p.w.Infof("%s", line)
	}
}

// close ends the live line.
func (p *uploadProgress) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.drawn {
		p.w.screen().Redraw("")
	}
}
