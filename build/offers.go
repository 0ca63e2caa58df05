package build

import (
	"github.com/moby/buildkit/session/sshforward/sshprovider"

	"slipway/build/target"
	"slipway/internal/fault"
)

// checkOffers reads what the engines will ask this process for: the docker
// configuration, and SSH keys or agents. A build must not find out that one of
// them is unusable after repositories were created. The plan has checked the
// secrets.
func (j *job) checkOffers() (err error) {
	if j.auth, err = j.login(); err != nil {
		return err
	}
	for _, t := range j.options.Targets(j.plan) {
		if err := checkSSH(t); err != nil {
			return err
		}
	}
	return nil
}

func checkSSH(t target.Target) error {
	for _, k := range t.SSH {
		agent := sshprovider.AgentConfig{ID: k.ID, Paths: []string{k.Path}}
		if _, err := sshprovider.NewSSHAgentProvider([]sshprovider.AgentConfig{agent}); err != nil {
			return fault.NewInput("services."+t.Service+".build.ssh", err.Error(), "check the agent's socket or the key file")
		}
	}
	return nil
}
