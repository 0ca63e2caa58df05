package cmd

import (
	"regexp"
	"testing"
)

// Every engine pulls base images from a mirror, Docker Hub's too, which this host
// cannot reach. One that is too old is refused before anything is built.
func TestMirrorsOnEveryEngine(t *testing.T) {
	t.Parallel()
	for name, start := range engineCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			on := start(t)
			s := newEngineFixture(t, "mirrors "+name, on)
			host := s.proxy.host()
			if err := newECSSandbox(s.aws, host).pushImage(t.Context(), "hub/library/copied", "1", false, nil); err != nil {
				t.Fatal(err)
			}
			s.write("a/Dockerfile", "FROM copied:1\nCOPY file /file\n")
			hub, lost := "docker.io="+host+"/hub", host+"/base="+host+"/empty"
			if on.old {
				s.build(on.build("one", "--mirror", hub)...).wait(exitUsage).says("cannot pull images from mirrors")
				return
			}
			s.build(on.build("one", "--mirror", hub, "--mirror", lost)...).wait(exitDone).
				says("1 image not pulled from the mirror, but from the registry of its name: "+host+"/base:1; looking for "+host+"/empty:1: ", on.says)
			s.complete("one", true)
			before := s.tags()

			// A digest does not depend on where the base image came from.
			s.write("a/Dockerfile", "FROM "+host+"/hub/library/copied:1\nCOPY file /file\n")
			s.build(on.build("one", "--rebuild")...).wait(exitDone)
			same(t, s.tags(), before)

			// The doctor looks for copies as the build does.
			s.write("a/Dockerfile", "FROM copied:1\nCOPY file /file\n")
			args := append(append([]string{"BUILDKIT_HOST="}, on.env...), "doctor", "--hash", "two", "--mirror", hub, "--mirror", lost)
			r := s.start(append(args, on.flags...)...).wait(exitDone)
			for _, line := range []string{
				`(?m)^ok +base image +` + host + `/hub/library/copied:1 `,
				`(?m)^warning +base image +` + host + `/empty:1 +is not on the mirror`,
				`(?m)^ok +base image +` + host + `/base:1 `,
			} {
				if !regexp.MustCompile(line).Match(r.stdout.Bytes()) {
					t.Errorf("nothing matches %s in\n%s", line, &r.stdout)
				}
			}
		})
	}
}
