package diagnose

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ecs/types"

	"slipway/internal/golden"
)

const accountPrefix = "arn:aws:ecs:eu-west-1:111122223333:"

// evidenceOf returns what is known of the service shop/web, with the stopped
// tasks.
func evidenceOf(stopped ...types.Task) Evidence {
	return Evidence{
		Cluster: "shop", Service: "web", TaskDefinition: accountPrefix + "task-definition/web:7",
		Containers: []Container{
			{Name: "web", Image: "111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web:latest", Essential: true, LogDriver: "awslogs",
				LogOptions: map[string]string{"awslogs-group": "/ecs/shop", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "ecs"}},
			{Name: "sidecar", Image: "sidecar:1"},
		},
		Stopped: stopped,
	}
}

// exited returns a task that stopped 3 s after it started, when its container
// web exited.
func exited(code int32) types.Task {
	start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
	return types.Task{
		TaskArn: aws.String(accountPrefix + "task/shop/0123456789abcdef0123456789abcdef"), LastStatus: aws.String("STOPPED"),
		StopCode: types.TaskStopCodeEssentialContainerExited, StoppedReason: aws.String("Essential container in task exited"),
		StartedAt: aws.Time(start), StoppedAt: aws.Time(start.Add(3 * time.Second)),
		Containers: []types.Container{{Name: aws.String("web"), ExitCode: aws.Int32(code), RuntimeId: aws.String("0123-runtime")}},
	}
}

// neverStarted returns a task that stopped before its containers ran.
func neverStarted(reason string) types.Task {
	return types.Task{
		TaskArn:  aws.String(accountPrefix + "task/shop/00000000000000000000000000000001"),
		StopCode: types.TaskStopCodeTaskFailedToStart, StoppedReason: aws.String(reason),
		StoppedAt:  aws.Time(time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)),
		Containers: []types.Container{{Name: aws.String("web"), Image: aws.String("111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web:latest")}},
	}
}

// The texts are as the ECS developer guide, the agents, Docker and containerd
// write them.
func TestCauseOfReason(t *testing.T) {
	tests := map[string][]string{
		"is not in the registry": {
			"CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref 111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web:latest: not found",
			"CannotPullContainerError: API error (404): repository 111122223333.dkr.ecr.us-east-1.amazonaws.com/shop/web not found",
			"CannotPullContainerError: failed to resolve ref 111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web@sha256:4031a403b5c6d7e8: not found",
			"CannotPullContainerError: Error response from daemon: manifest for shop/web:1a2b3c not found: manifest unknown: Requested image not found",
			"CannotPullContainerError: inspect image has been retried 1 time(s): failed to resolve ref \"docker.io/library/web:none\": docker.io/library/web:none: not found",
			"CannotPullContainerError: The task can't pull the image. Check whether the image exists.",
			"CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to resolve ref",
		},
		"the registry refused the image of web (": {
			"CannotPullContainerError: The task can’t pull the image. Check that the role has the permissions to pull images from the registry.",
			"CannotPullContainerError: inspect image has been retried 1 time(s): failed to resolve ref \"x:latest\": pulling from host 111122223333.dkr.ecr.eu-west-1.amazonaws.com failed with status code [manifests latest]: 403 Forbidden",
			"CannotPullContainerError: Error response from daemon: pull access denied for web, repository does not exist or may require 'docker login': denied: User is not authorized",
			"CannotPullECRContainerError: AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/shop/x is not authorized to perform: ecr:GetAuthorizationToken on resource: *",
			"CannotPullContainerError: Error response from daemon: Get https://x/v2/web/manifests/latest: no basic auth credentials",
			"CannotPullContainerError: Error response from daemon: denied: Your authorization token has expired. Reauthenticate and try again.",
			"ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 1 time(s): AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/shop/x is not authorized to perform: ecr:GetAuthorizationToken",
		},
		"after too many pulls": {
			"CannotPullContainerError: inspect image has been retried 1 time(s): httpReaderSeeker: failed open: unexpected status code https://registry-1.docker.io/v2/library/web/manifests/sha256:0a: 429 Too Many Requests - Server message: toomanyrequests: You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit",
			"CannotPullContainerError: ERROR: toomanyrequests: Too Many Requests.",
		},
		"the task cannot reach the image registry": {
			"CannotPullContainerError: API error (500): Get https://111122223333.dkr.ecr.us-east-1.amazonaws.com/v2/: net/http: request canceled while waiting for connection",
			"CannotPullContainerError: The task cannot pull 'web' from the Amazon ECR repository '111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web'. There is a connection issue between the task and Amazon ECR. Check your task network configuration.",
			"CannotPullContainerError: ref pull has been retried 5 time(s): failed to copy: httpReadSeeker: failed open: failed to do request: Get \"https://prod-eu-west-1-starport-layer-bucket.s3.eu-west-1.amazonaws.com/x\": dial tcp 52.218.1.2:443: i/o timeout",
			"CannotPullContainerError: Context canceled",
			"ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve ecr registry auth: service call has been retried 3 time(s): RequestError: send request failed caused by: Post \"https://api.ecr.us-east-2.amazonaws.com/\": dial tcp 10.0.0.7:443: i/o timeout. Please check your task network configuration.",
			"ResourceInitializationError: unable to pull secrets or registry auth: The task cannot pull registry auth from Amazon ECR: There is a connection issue between the task and Amazon ECR. Check your task network configuration. operation error ECR: GetAuthorizationToken, exceeded maximum number of attempts, 3",
		},
		"the task cannot reach Secrets Manager": {
			"ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 5 time(s): failed to fetch secret arn:aws:secretsmanager:us-west-2:111122223333:secret:db-AbCdEf from secrets manager: RequestCanceled: request context canceled caused by: context deadline exceeded. Please check your task network configuration.",
		},
		"the task cannot reach Systems Manager": {
			"ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 5 time(s): RequestCanceled: request context canceled caused by: context deadline exceeded. Please check your task network configuration.",
			"ResourceInitializationError: unable to pull secrets or registry auth: unable to retrieve secrets from ssm: The task cannot pull secrets from AWS Systems Manager. There is a connection issue between the task and AWS Systems Manager Parameter Store. Check your task network configuration.",
		},
		"the task cannot reach CloudWatch Logs": {
			"ResourceInitializationError: failed to validate logger args: The task cannot find the Amazon CloudWatch log group defined in the task definition. There is a connection issue between the task and Amazon CloudWatch. Check your network configuration. : signal: killed",
		},
		"is built for another processor architecture": {
			"CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain descriptor matching platform 'linux/amd64'.",
			"CannotPullContainerError: failed to find a descriptor for platform {linux/amd64}",
			"CannotPullContainerError: no matching manifest for linux/arm64/v8 in the manifest list entries",
			"CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: exec /app: exec format error",
		},
		"the disk is full": {"CannotPullContainerError: write /var/lib/docker/tmp/GetImageBlob111111111: no space left on device"},
		"could not be pulled": {
			"CannotPullContainerError: ref pull has been retried 1 time(s): failed to copy: httpReaderSeeker: failed open: unexpected status code",
		},
		"ECS could not assume the role shop-task": {
			"ECS was unable to assume the role 'arn:aws:iam::111122223333:role/team/shop-task' that was provided for this task. Please verify that the role being passed has the proper trust relationship and permissions and that your IAM user has permissions to pass this role.",
		},
		"may not read a secret (arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf)": {
			"ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secret from asm: service call has been retried 1 time(s): failed to fetch secret arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf from secrets manager: AccessDeniedException: User: arn:aws:sts::111122223333:assumed-role/shop/x is not authorized to perform: secretsmanager:GetSecretValue",
		},
		"may not read a secret of": {
			"ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): AccessDeniedException: User: x is not authorized to perform: ssm:GetParameters",
			"Fetching secret data from SSM Parameter Store in eu-west-1: AccessDeniedException: User is not authorized",
		},
		"of the task definition is missing": {
			"ResourceInitializationError: unable to pull secrets or registry auth: failed to fetch secret arn:aws:secretsmanager:us-east-1:111122223333:secret:gone from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.",
			"ResourceInitializationError: unable to pull secrets or registry auth: execution resource retrieval failed: unable to retrieve secrets from ssm: service call has been retried 1 time(s): invalid ssm parameters: /shop/gone",
			"Fetching secret data from AWS Secrets Manager in region eu-west-1: secret arn:x: ResourceNotFoundException: Secrets Manager can't find the specified secret.",
		},
		"the log group of container web is missing": {
			"ResourceInitializationError: failed to validate logger args: create stream has been retried 1 times: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist. : exit status 1",
			"ResourceInitializationError: failed to validate logger args: unable to get awslogs driver arguments: awslogs-region is required",
			"CannotStartContainerError: Error response from daemon: failed to initialize logging driver: failed to create Cloudwatch log stream: ResourceNotFoundException: The specified log group does not exist.",
		},
		"may not write to the log group": {
			"ResourceInitializationError: failed to validate logger args: AccessDeniedException: User: x is not authorized to perform: logs:CreateLogGroup on resource: y",
		},
		"a port that container web needs is in use": {
			"CannotStartContainerError: Error response from daemon: driver failed programming external connectivity on endpoint ecs-web: Bind for 0.0.0.0:80 failed: port is already allocated",
			"RESOURCE:PORTS",
		},
		"container web has no such command (python)": {
			`CannotStartContainerError: Error response from daemon: OCI runtime create failed: container_linux.go:380: starting container process caused: exec: "python": executable file not found in $PATH: unknown`,
			`CannotStartContainerError: API error (400): OCI runtime create failed: container_linux.go:348: starting container process caused "exec: \"python\": executable file not found in $PATH":`,
		},
		"container web has no such command (/opt/run.sh)": {
			`CannotStartContainerError: ResourceInitializationError: failed to create new container runtime task: OCI runtime create failed: container_linux.go:370: starting container process caused: exec: "/opt/run.sh": stat /opt/run.sh: no such file or directory`,
		},
		"a volume could not be mounted": {
			"ResourceInitializationError: failed to invoke EFS utils commands to set up EFS volumes: stderr: mount.nfs4: Connection reset by peer : unsuccessful EFS utils command execution; code: 32",
		},
		"exceeded its memory limit": {"OutOfMemoryError: container killed due to memory usage"},
		"the health check of container web in the task definition fails": {
			"Task failed container health checks",
		},
		"health checks of the elb shop-lb": {"Task failed ELB health checks in (elb shop-lb)"},
		"health checks of the target-group arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/a6d71c9b9c18b389:": {
			"Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/a6d71c9b9c18b389)",
		},
		"there is not enough capacity for the task (RESOURCE:MEMORY)": {"RESOURCE:MEMORY"},
		"there is not enough capacity for the task (Capacity is unavailable)": {
			"Capacity is unavailable at this time. Please try again later or in a different availability zone",
		},
		"there is not enough capacity for the task:": {
			"Timeout waiting for network interface provisioning to complete.",
			"Timeout waiting for EphemeralStorage provisioning to complete.",
			"Unexpected EC2 error while attempting to Create Network Interface with public IP assignment enabled in subnet 'subnet-0123456789abcdef0': InsufficientFreeAddressesInSubnet",
		},
	}
	for cause, reasons := range tests {
		for _, reason := range reasons {
			d := Diagnose(evidenceOf(neverStarted(reason)))
			if !strings.Contains(d.Cause, cause) {
				t.Errorf("%s\n got  %q\n want %q", reason, d.Cause, cause)
			}
			// A container's reason tells the same as the task's.
			task := neverStarted("Task failed to start")
			task.Containers[0].Reason = aws.String(reason)
			if other := Diagnose(evidenceOf(task)); other.Cause != d.Cause {
				t.Errorf("as a container's reason: %q instead of %q", other.Cause, d.Cause)
			}
		}
	}
}

func TestCauseOfEvents(t *testing.T) {
	tests := map[string]string{
		"(service web) was unable to place a task because no container instance met all of its requirements. The closest matching container-instance 0123 has insufficient CPU units available.":                  "not enough capacity for the task (insufficient CPU units available)",
		"(service web) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone.":                                                     "not enough capacity for the task (Capacity is unavailable)",
		"(service web) was unable to place a task. Reason: You've reached the limit on the number of tasks you can run concurrently":                                                                              "not enough capacity for the task (limit on the number of tasks)",
		"(service web) was unable to place a task because no container instance met all of its requirements. The closest matching container-instance 0123 is already using a port required by your task.":         "a port that a container needs is in use",
		"(service web) was unable to place a task. Reason: CannotPullContainerError: pull image manifest has been retried 7 time(s): image Manifest does not contain descriptor matching platform 'linux/amd64'.": "a container's image is built for another processor architecture",
		"(service web) was unable to place a task. Reason: ResourceInitializationError: failed to validate logger args ... awslogs-region is required.":                                                           "the log group of a container is missing",
		"(service web) failed to launch a task with (error ECS was unable to assume the role 'arn:aws:iam::111122223333:role/gone' that was provided for this task.).":                                            "could not assume the role gone",
		"(service web) (port 80) is unhealthy in (target-group arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/a6d7) due to (reason Health checks failed with these codes: [502])":            "(Health checks failed with these codes: [502])",
		"(service web) (instance i-0123) is unhealthy in (elb shop-lb) due to (reason Instance has failed at least the UnhealthyThreshold number of health checks consecutively.)":                                "health checks of the elb shop-lb (Instance has failed",
		"(service web) (task 0123) failed container health checks.": "the health check of a container",
		"(service web) was unable to stop or start tasks during a deployment because of the service deployment configuration. Update the minimumHealthyPercent or maximumPercent value and try again.": "minimumHealthyPercent and maximumPercent",
		"(service web) has started 1 tasks: (task 0123).":                         "",
		"(service web) has reached a steady state.":                               "",
		"(service web) deregistered 1 targets in (target-group arn:aws:x/web/a6)": "",
	}
	for event, want := range tests {
		e := evidenceOf()
		e.Events = []string{event}
		d := Diagnose(e)
		if want == "" && d.Cause != "" || !strings.Contains(d.Cause, want) {
			t.Errorf("%s\n got  %q\n want %q", event, d.Cause, want)
		}
	}
}

func TestCauseOfExit(t *testing.T) {
	tests := map[int32]string{
		0:   "container web ended with code 0, 3 s after it started: the program of a service must keep running",
		1:   "container web ended with code 1, 3 s after it started: see its last log lines",
		127: "a command that is missing",
		137: "(SIGKILL)", 139: "(SIGSEGV)", 143: "(SIGTERM)", 134: "(SIGABRT)",
	}
	for code, want := range tests {
		if d := Diagnose(evidenceOf(exited(code))); !strings.Contains(d.Cause, want) {
			t.Errorf("%d: got %q, want %q", code, d.Cause, want)
		}
	}
	logs := map[string]string{
		"exec /app/server: exec format error":              "another processor architecture",
		"Error: listen EADDRINUSE: address already in use": "a port that container web needs is in use",
		"panic: no DATABASE_URL":                           "see its last log lines",
		"see https://docs/alarm":                           "see its last log lines",
	}
	for line, want := range logs {
		e := evidenceOf(exited(255))
		e.Log = []string{"starting", line}
		d := Diagnose(e)
		if !strings.Contains(d.Cause, want) {
			t.Errorf("%s: got %q, want %q", line, d.Cause, want)
		}
	}
}

// The sidecar goes with the container that failed, however it exits; a
// container that is not essential does not stop a task.
func TestCulprit(t *testing.T) {
	container := func(name string, exit int32, reason string) types.Container {
		return types.Container{Name: aws.String(name), ExitCode: aws.Int32(exit), Reason: aws.String(reason)}
	}
	tests := map[string][]types.Container{
		"killed with it":    {container("sidecar", 137, ""), container("web", 1, "")},
		"reason tells":      {container("sidecar", 1, ""), container("web", 137, "OutOfMemoryError: container killed due to memory usage")},
		"not essential":     {container("sidecar", 1, ""), container("web", 2, "")},
		"an end without":    {container("sidecar", 143, ""), container("web", 0, "")},
		"never started one": {{Name: aws.String("sidecar")}, container("web", 143, "")},
		"unhealthy": {container("sidecar", 137, ""), {Name: aws.String("web"), ExitCode: aws.Int32(137),
			HealthStatus: types.HealthStatusUnhealthy}},
	}
	for name, containers := range tests {
		e := evidenceOf()
		for range 2 {
			if c := e.failedContainer(types.Task{Containers: containers}); aws.ToString(c.Name) != "web" {
				t.Errorf("%s: blames %s, want web", name, aws.ToString(c.Name))
			}
			slices.Reverse(containers)
		}
	}
	if c := (Evidence{}).failedContainer(types.Task{}); c != nil {
		t.Error("a task without containers has a culprit")
	}
}

func TestWithoutIDs(t *testing.T) {
	tests := map[string]string{
		"Task failed ELB health checks in (target-group arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/a6d71c9b9c18b389)": "",
		"dial tcp 10.0.0.7:443: i/o timeout":                                  "dial tcp …: i/o timeout",
		"repo@sha256:" + strings.Repeat("0a", 32) + ": not found":             "repo@sha256:…: not found",
		"Scaling activity initiated by (deployment ecs-svc/12345)":            "Scaling activity initiated by (deployment …)",
		"retried 5 time(s): RequestID: 01234567-89ab-cdef-0123-456789abcdef":  "retried … times: RequestID: …",
		"write /var/lib/docker/tmp/GetImageBlob111111111: no space":           "write /var/lib/docker/tmp/GetImageBlob…: no space",
		"Host EC2 (instance i-0123456789abcdef0) terminated.":                 "Host EC2 (instance …) terminated.",
		"image web:1a2b3c4d5e6f of " + strings.Repeat("1", 12) + " not found": "",
	}
	for reason, want := range tests {
		if want == "" {
			want = reason
		}
		if got := withoutIDs(reason); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// evidences returns the evidence of whole failures. The golden files have their
// diagnoses.
func evidences() map[string]Evidence {
	at := func(task types.Task, id string, minute int) types.Task {
		task.TaskArn = aws.String(accountPrefix + "task/shop/" + strings.Repeat("0", 32-len(id)) + id)
		task.StoppedAt = aws.Time(time.Date(2026, 11, 22, 3, minute, 7, 0, time.UTC))
		return task
	}
	missing := func(retries int) types.Task {
		task := neverStarted(fmt.Sprintf("CannotPullContainerError: pull image manifest has been retried %d time(s): failed to resolve ref 111122223333.dkr.ecr.eu-west-1.amazonaws.com/shop/web@sha256:%s: not found", retries, strings.Repeat("0a", 32)))
		task.Containers[0].ImageDigest = aws.String("sha256:" + strings.Repeat("0a", 32))
		return task
	}
	scaled := exited(143)
	scaled.StopCode, scaled.StoppedReason = types.TaskStopCodeServiceSchedulerInitiated, aws.String("Scaling activity initiated by (deployment ecs-svc/9)")
	group := "arn:aws:elasticloadbalancing:eu-west-1:111122223333:targetgroup/web/a6d71c9b9c18b389"
	balanced := exited(137)
	balanced.StopCode, balanced.StoppedReason = types.TaskStopCodeServiceSchedulerInitiated, aws.String("Task failed ELB health checks in (target-group "+group+")")
	secret := neverStarted("ResourceInitializationError: unable to pull secrets or registry auth: failed to fetch secret arn:aws:secretsmanager:eu-west-1:111122223333:secret:db-AbCdEf from secrets manager: ResourceNotFoundException: Secrets Manager can't find the specified secret.")
	stopped := exited(143)
	stopped.StopCode, stopped.StoppedReason = types.TaskStopCodeUserInitiated, aws.String("Task stopped by user")
	spot := exited(143)
	spot.StopCode, spot.StoppedReason = types.TaskStopCodeSpotInterruption, aws.String("Your Spot Task was interrupted.")
	with := func(e Evidence, change func(*Evidence)) Evidence {
		change(&e)
		return e
	}
	return map[string]Evidence{
		"crash": with(evidenceOf(at(exited(1), "1", 1), at(scaled, "5", 9), at(exited(1), "2", 3), at(exited(1), "3", 2),
			at(exited(2), "4", 8), at(scaled, "6", 9), at(scaled, "7", 9), at(scaled, "8", 9)), func(e *Evidence) {
			e.Log, e.LogOf = []string{"starting", "panic: no DATABASE_URL", "goroutine 1 [running]:"}, "web in task 2"
			e.LogCommand = "aws logs tail /ecs/shop --log-stream-names ecs/web/2 --since 1h --region eu-west-1"
		}),
		"missing": with(evidenceOf(at(missing(5), "1", 1), at(missing(7), "2", 2)), func(e *Evidence) { e.LogOf = "web never ran" }),
		"balancer": with(evidenceOf(at(balanced, "1", 1)), func(e *Evidence) {
			e.Events = []string{"(task 1) (port 80) is unhealthy in (target-group " + group + ") due to (reason Health checks failed with these codes: [502])"}
		}),
		"secret": evidenceOf(at(secret, "1", 1)),
		"capacity": with(evidenceOf(), func(e *Evidence) {
			e.Events = []string{"has started 1 tasks: (task 1).",
				"was unable to place a task because no container instance met all of its requirements. The closest matching container-instance 0123 doesn't have enough memory available.", "has reached a steady state."}
		}),
		"alarms": with(evidenceOf(at(exited(1), "1", 1)), func(e *Evidence) {
			e.Reason = "CloudWatch alarms were in ALARM; alarms triggered: web-5xx, web slow"
		}),
		"user":    evidenceOf(at(stopped, "1", 1)),
		"spot":    evidenceOf(at(spot, "1", 1)),
		"nothing": {Service: "web", Reason: "it had not ended at the deadline"},
	}
}

func TestDiagnoseLines(t *testing.T) {
	for name, e := range evidences() {
		t.Run(name, func(t *testing.T) {
			d := Diagnose(e)
			lines := d.Lines()
			if d.Next != "" {
				lines = append(lines, "next: "+d.Next)
			}
			if d.MissingImage {
				lines = append(lines, "the image is missing")
			}
			golden.Check(t, name+".golden", []byte(strings.Join(lines, "\n")+"\n"))
		})
	}
}

func TestGroups(t *testing.T) {
	d := Diagnose(evidences()["crash"])
	if len(d.Groups) != 3 || d.Groups[0].Count != 3 || d.Groups[1].Count != 1 || d.Groups[2].Count != 4 {
		t.Fatalf("Diagnose returned the groups %+v, want counts 3, 1 and 4", d.Groups)
	}
	if g := d.Groups[0]; !strings.HasSuffix(g.Task, "2") || g.Last.Minute() != 3 {
		t.Errorf("the group names task %s, stopped at %s; want the newest, 2 at 03:03", g.Task, g.Last)
	}
	// What ECS stops by itself tells no cause.
	e := evidences()["crash"]
	e.Stopped = []types.Task{e.Stopped[1]}
	if d := Diagnose(e); d.Cause != "" || len(d.Groups) != 1 {
		t.Errorf("Diagnose of a task that ECS stopped: cause %q and groups %+v, want no cause and one group", d.Cause, d.Groups)
	}
	// Among equals the newest comes first.
	e = Evidence{Stopped: []types.Task{exited(1), exited(2)}}
	e.Stopped[1].StoppedAt = aws.Time(e.Stopped[0].StoppedAt.Add(time.Second))
	if d := Diagnose(e); d.Groups[0].Containers[0] != "web exited with 2" {
		t.Errorf("the first group is %+v, want the one of the newest task", d.Groups[0])
	}
}

func FuzzDiagnose(f *testing.F) {
	for _, s := range []string{"Essential container in task exited", "CannotPullContainerError: \x1b[31m not found", "RESOURCE:", "exec: \"", "target-group arn:", "alarms triggered: ,", "ä\nö"} {
		f.Add(s, s, int32(1))
	}
	f.Fuzz(func(t *testing.T, reason, event string, exit int32) {
		task := neverStarted(reason)
		task.Containers[0].ExitCode, task.Containers[0].Reason = &exit, &event
		e := evidenceOf(task)
		e.Events, e.Reason = []string{event}, reason
		d := Diagnose(e)
		if len(d.Groups) != 1 {
			t.Errorf("Diagnose(%+v) has %d groups, want 1", e, len(d.Groups))
		}
		for _, line := range d.Lines() {
			if strings.ContainsFunc(line, unicode.IsControl) {
				t.Errorf("control characters in %q", line)
			}
		}
	})
}
