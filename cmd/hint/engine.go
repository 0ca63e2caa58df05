package hint

import "slipway/build/engine"

// commandHint returns the hint for a program that an engine is reached through.
func commandHint(e *engine.CommandError) string {
	switch e.Reason() {
	case engine.NoProgram:
		return "install " + e.Program + " on this host, or put it in PATH"
	case engine.UnknownHost:
		return "correct the host in the engine's address, or add it to ~/.ssh/config or the DNS"
	case engine.UnknownHostKey:
		return "check the host's key and add it to ~/.ssh/known_hosts: `ssh-keyscan HOST` prints it"
	case engine.Refused:
		return refusedHint(e.Program)
	case engine.NoConnection:
		return "check that the host is up and that " + e.Program + " may connect to it from here"
	case engine.NoPlace:
		return "name a container or pod that is running: `" + listCommand(e.Program) + "` lists them"
	case engine.NoRemoteProgram:
		return "install buildctl at the other end, in the PATH of a login without a terminal; `--engine docker` with DOCKER_HOST=ssh://… needs docker there instead"
	case engine.NoDaemon:
		if e.Program == "docker" {
			return "start Docker, or correct DOCKER_HOST or the docker context"
		}
		return "start the engine at the other end; for a buildkitd with another socket, add its path to the address: ssh://USER@HOST/PATH"
	case engine.RefusedSocket:
		return "let the user at the other end write to the engine's socket: buildkitd's --group gives it to a group, Docker's group is docker"
	default:
		return "type the command of the engine's address yourself: " + e.Program + " must reach the other end without a question"
	}
}

func refusedHint(program string) string {
	switch program {
	case "ssh":
		return "give ssh a key that the host accepts: load it into the agent, or name it in ~/.ssh/config"
	case "kubectl":
		return "let the user of the kubeconfig create pods/exec in the namespace: `kubectl auth can-i create pods/exec` answers yes then"
	default:
		return "let this user run " + program
	}
}

func listCommand(program string) string {
	if program == "kubectl" {
		return "kubectl get pods"
	}
	return "docker ps"
}
