package task

// The types below are the parts of RegisterTaskDefinition's request that compose files
// have words for, with ECS's own keys (RegisterTaskDefinition in the API reference).

// Input is the request of RegisterTaskDefinition.
type Input struct {
	Family                  string      `json:"family"`
	ExecutionRoleARN        string      `json:"executionRoleArn"`
	TaskRoleARN             string      `json:"taskRoleArn"`
	NetworkMode             string      `json:"networkMode"`
	RequiresCompatibilities []string    `json:"requiresCompatibilities"`
	RuntimePlatform         *Platform   `json:"runtimePlatform,omitempty"`
	CPU                     string      `json:"cpu"`
	Memory                  string      `json:"memory"`
	Containers              []Container `json:"containerDefinitions"`
	Volumes                 []Volume    `json:"volumes,omitempty"`
}

// Container is a ContainerDefinition. Memory is in MiB, CPU in units of which a vCPU
// has 1024, times are in seconds.
type Container struct {
	Name                   string            `json:"name"`
	Image                  string            `json:"image"`
	Essential              bool              `json:"essential"`
	EntryPoint             []string          `json:"entryPoint,omitempty"`
	Command                []string          `json:"command,omitempty"`
	WorkingDirectory       string            `json:"workingDirectory,omitempty"`
	User                   string            `json:"user,omitempty"`
	PseudoTerminal         bool              `json:"pseudoTerminal,omitempty"`
	Interactive            bool              `json:"interactive,omitempty"`
	ReadonlyRootFilesystem bool              `json:"readonlyRootFilesystem,omitempty"`
	CPU                    int               `json:"cpu,omitempty"`
	Memory                 int               `json:"memory,omitempty"`
	MemoryReservation      int               `json:"memoryReservation,omitempty"`
	PortMappings           []PortMapping     `json:"portMappings,omitempty"`
	Environment            []Variable        `json:"environment,omitempty"`
	Secrets                []Secret          `json:"secrets,omitempty"`
	HealthCheck            *HealthCheck      `json:"healthCheck,omitempty"`
	DependsOn              []Dependency      `json:"dependsOn,omitempty"`
	RestartPolicy          *RestartPolicy    `json:"restartPolicy,omitempty"`
	StopTimeout            int               `json:"stopTimeout,omitempty"`
	DockerLabels           map[string]string `json:"dockerLabels,omitempty"`
	Ulimits                []Ulimit          `json:"ulimits,omitempty"`
	SystemControls         []SystemControl   `json:"systemControls,omitempty"`
	LinuxParameters        *Linux            `json:"linuxParameters,omitempty"`
	MountPoints            []MountPoint      `json:"mountPoints,omitempty"`
	LogConfiguration       *Log              `json:"logConfiguration,omitempty"`
}

// Platform is a RuntimePlatform.
type Platform struct {
	CPUArchitecture       string `json:"cpuArchitecture"`
	OperatingSystemFamily string `json:"operatingSystemFamily"`
}

// PortMapping is a port of a container. In the network mode awsvpc, ECS gives it the
// same port on the task's network interface.
type PortMapping struct {
	ContainerPort int    `json:"containerPort"`
	Protocol      string `json:"protocol"`
	Name          string `json:"name,omitempty"`
	AppProtocol   string `json:"appProtocol,omitempty"`
}

// Variable is a KeyValuePair of the environment.
type Variable struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Secret is a variable whose value ECS reads from Secrets Manager or the Parameter
// Store when a task starts.
type Secret struct {
	Name      string `json:"name"`
	ValueFrom string `json:"valueFrom"`
}

// HealthCheck is a container's health check.
type HealthCheck struct {
	Command     []string `json:"command"`
	Interval    int      `json:"interval"`
	Timeout     int      `json:"timeout"`
	Retries     int      `json:"retries"`
	StartPeriod int      `json:"startPeriod,omitempty"`
}

// Dependency is a ContainerDependency.
type Dependency struct {
	ContainerName string `json:"containerName"`
	Condition     string `json:"condition"`
}

// RestartPolicy is a ContainerRestartPolicy.
type RestartPolicy struct {
	Enabled              bool  `json:"enabled"`
	IgnoredExitCodes     []int `json:"ignoredExitCodes,omitempty"`
	RestartAttemptPeriod int   `json:"restartAttemptPeriod,omitempty"`
}

// Ulimit is a limit of a container's processes.
type Ulimit struct {
	Name      string `json:"name"`
	SoftLimit int    `json:"softLimit"`
	HardLimit int    `json:"hardLimit"`
}

// SystemControl is a kernel parameter.
type SystemControl struct {
	Namespace string `json:"namespace"`
	Value     string `json:"value"`
}

// Linux are LinuxParameters.
type Linux struct {
	Capabilities       *Capabilities `json:"capabilities,omitempty"`
	InitProcessEnabled bool          `json:"initProcessEnabled,omitempty"`
	Tmpfs              []Tmpfs       `json:"tmpfs,omitempty"`
}

// Capabilities are KernelCapabilities.
type Capabilities struct {
	Add  []string `json:"add,omitempty"`
	Drop []string `json:"drop,omitempty"`
}

// Tmpfs is a file system in memory; its size is in MiB.
type Tmpfs struct {
	ContainerPath string   `json:"containerPath"`
	Size          int      `json:"size"`
	MountOptions  []string `json:"mountOptions,omitempty"`
}

// MountPoint is the place of a volume in a container.
type MountPoint struct {
	SourceVolume  string `json:"sourceVolume"`
	ContainerPath string `json:"containerPath"`
	ReadOnly      bool   `json:"readOnly,omitempty"`
}

// Log is a LogConfiguration.
type Log struct {
	LogDriver string            `json:"logDriver"`
	Options   map[string]string `json:"options,omitempty"`
}

// Volume is a volume on EFS.
type Volume struct {
	Name string    `json:"name"`
	EFS  EFSVolume `json:"efsVolumeConfiguration"`
}

// EFSVolume is an EFSVolumeConfiguration.
type EFSVolume struct {
	FileSystemID        string           `json:"fileSystemId"`
	TransitEncryption   string           `json:"transitEncryption"`
	AuthorizationConfig EFSAuthorization `json:"authorizationConfig"`
}

// EFSAuthorization is an EFSAuthorizationConfig.
type EFSAuthorization struct {
	AccessPointID string `json:"accessPointId,omitempty"`
	IAM           string `json:"iam"`
}
