package cmd

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"slipway/internal/sandbox"
)

// git runs git in the project of the fixture.
func (s *buildFixture) git(args ...string) string {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), "git", append([]string{"-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"}, args...)...)
	cmd.Dir = s.dir
	cmd.Env = append(cmd.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// commit commits the files of the project, and returns the name of its revision.
func (s *buildFixture) commit(seed string) string {
	s.t.Helper()
	s.writeProject(seed)
	s.git("add", "-A")
	s.git("commit", "-qm", seed)
	return s.git("rev-parse", "--short=12", "HEAD")
}

// clone returns a second working copy with the commits that there are now.
func (s *buildFixture) clone() *buildFixture {
	s.t.Helper()
	out := *s
	out.dir = filepath.Join(s.t.TempDir(), "clone")
	s.git("clone", "-q", ".", out.dir)
	return &out
}

// TestOlderCommitYields: the job of an older commit begins first and ends last. It
// leaves latest and the definitions to the newer one, unless that is forced or the newer
// revision does not contain its commit. A commit that undoes the older one makes
// the images that were there before.
func TestOlderCommitYields(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		what, newer string
		branch      bool
		flags       []string
		yields      bool
	}{
		{"contained", "order, newer", false, nil, true},
		{"undone", "order", false, nil, true},
		{"forced", "order, newer", false, []string{"--force"}, false},
		{"another branch", "order, newer", true, nil, false},
	} {
		t.Run(c.what, func(t *testing.T) {
			t.Parallel()
			s := newBuildFixture(t, "order", sandbox.Options{})
			s.git("init", "-q", "-b", "main")
			s.write(".gitignore", "imagedefinitions.json\n")
			zero := s.commit("order")
			s.start("build", "--create-repositories").wait(exitDone)
			older := s.commit("order, older")
			job := s.clone()
			if c.branch {
				s.git("checkout", "-q", "-b", "other", zero)
				s.write("README", "other")
			}
			newer := s.commit(c.newer)
			if c.branch {
				job.git("fetch", "-q", s.dir, "other")
			}
			g := newGate(t, false)
			s.proxy.set(&rule{match: on("PUT manifest", "", ""), treat: g.treat})
			r := job.start(append([]string{"build", "--progress", "plain"}, c.flags...)...)
			for range componentNames {
				r.meets(g)
			}
			s.proxy.set()
			s.start("build").wait(exitDone)
			s.complete(newer, true)
			g.release(true)
			r.wait(exitDone)
			s.complete(older, !c.yields)
			if !c.yields {
				job.defines(older)
				return
			}
			s.complete(newer, true)
			r.says("another job has made the revision "+newer, older+" is not deployed", "latest points to "+newer, "slipway build --force")
			job.defines(newer)
		})
	}
}

// TestOlderCommitIsNotDeployed: the newer job publishes and deploys while the older one,
// which has moved latest before, waits for an answer: to its last tag, and to the first
// question of its rollout. ECS stays on the newer commit.
func TestOlderCommitIsNotDeployed(t *testing.T) {
	t.Parallel()
	for _, until := range []string{"PutImage", "DescribeServices"} {
		t.Run(until, func(t *testing.T) {
			t.Parallel()
			s := newBuildFixture(t, "deployed", sandbox.Options{ECSSpeed: 40})
			s.git("init", "-q", "-b", "main")
			s.write(".gitignore", "imagedefinitions.json\n")
			s.commit("deployed")
			s.start("build", "--create-repositories").wait(exitDone)
			var containers []string
			for _, component := range componentNames {
				containers = append(containers, component+"=shop/"+component)
			}
			ecs := newECSSandbox(s.aws, s.proxy.host())
			if err := ecs.createService(t.Context(), ecsServiceFixture{cluster: "prod", service: "shop", containers: containers, desired: 1, breaker: "rollback", healthy: 100}); err != nil {
				t.Fatal(err)
			}
			s.aws.Advance(10 * time.Minute)
			flags := []string{"build", "--rollout", "--cluster", "prod", "--ecs-service", "shop"}
			older := s.commit("deployed, older")
			job := s.clone()
			newer := s.commit("deployed, newer")

			tagged := newGate(t, true)
			s.proxy.set(&rule{match: on("PutImage", "", "latest"), treat: tagged.treat})
			r := job.start(flags...)
			for range componentNames {
				r.meets(tagged)
			}
			g := tagged
			if until == "DescribeServices" {
				g = newGate(t, false)
				s.proxy.set(&rule{match: on(until, "", ""), treat: g.treat})
				tagged.release(true)
				r.meets(g)
			}
			s.proxy.set()
			s.start(flags...).wait(exitDone)
			g.release(true)
			r.wait(exitDone)
			r.says("another job has made the revision "+newer, older+" is not deployed", "slipway build --force")
			s.complete(newer, true)
			running, err := ecs.runs(t.Context(), "prod", "shop")
			if err != nil {
				t.Fatal(err)
			}
			for _, component := range componentNames {
				if want := s.aws.Tags("shop/" + component)[newer]; len(running[component]) != 1 || running[component][0] != want {
					t.Errorf("%s runs %v, want %s of %s", component, running[component], want, newer)
				}
			}

			// Later, the older revision is deployed with a warning only, the newer without.
			warning := older + " is older than the last build: " + newer + " of a later commit was made since"
			s.start(append([]string{"rollout", older}, flags[2:]...)...).wait(exitDone).says(warning, "slipway rollout "+newer)
			if r := s.start(append([]string{"rollout", newer}, flags[2:]...)...).wait(exitDone); strings.Contains(r.stderr.String(), "is older") {
				t.Errorf("rollout %s warns:\n%s", newer, r.stderr.String())
			}
		})
	}
}

// TestDeadNamesLeave: builds of services that do not change leave no more tags on their
// images than the revisions of a week have.
func TestDeadNamesLeave(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "dead", sandbox.Options{})
	for _, name := range []string{"r1", "r2", "r3", "r4"} {
		s.build(name).wait(exitDone)
		s.aws.Advance(3 * 24 * 3600e9)
	}
	for _, component := range componentNames {
		tags := s.aws.Tags("shop/" + component)
		if tags["r1"] != "" || tags["r2"] == "" || tags["r3"] == "" || tags["r4"] == "" {
			t.Errorf("the tags of %s are %v, want r1 removed alone", component, tags)
		}
	}
	s.complete("r4", true)
}

// TestFourCommitsAtOnce: the jobs of four commits run at the same time. Each revision is
// complete, and latest is one of them everywhere. A job that looks before the newer one has
// tagged its images may still win, since ECR cannot compare and swap: the newest job, run
// again, gets latest.
func TestFourCommitsAtOnce(t *testing.T) {
	t.Parallel()
	s := newBuildFixture(t, "four", sandbox.Options{})
	s.git("init", "-q", "-b", "main")
	s.write(".gitignore", "imagedefinitions.json\n")
	s.commit("four")
	s.start("build", "--create-repositories").wait(exitDone)
	var names []string
	var jobs []*buildFixture
	for _, seed := range []string{"four, first", "four, second", "four, third", "four, fourth"} {
		names = append(names, s.commit(seed))
		jobs = append(jobs, s.clone())
	}
	var running []*process
	for _, job := range jobs {
		running = append(running, job.start("build", "--progress", "plain"))
	}
	for _, r := range running {
		r.wait(exitDone)
	}
	tags, latest := s.tags(), map[string]bool{}
	for _, name := range names {
		s.complete(name, false)
		won := true
		for _, component := range componentNames {
			won = won && tags["shop/"+component+":latest"] == tags["shop/"+component+":"+name]
		}
		latest[name] = won
	}
	if won := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !latest[name] }); len(won) != 1 {
		t.Errorf("latest points to %v everywhere, want one revision", won)
	}
	newest := len(names) - 1
	jobs[newest].start("build").wait(exitDone)
	s.complete(names[newest], true)
	jobs[newest].defines(names[newest])
}
