package taskdef

import "cmp"

// LogStream is a log stream of CloudWatch Logs.
type LogStream struct {
	Region, Group, Name string
	CreateGroup         bool
}

// LogStream returns the log stream of a container in a task of a region; false
// if its log driver is not awslogs.
func (c Container) LogStream(region, task string) (LogStream, bool) {
	o := c.LogConfiguration.Options
	name := c.Name + "/" + task
	if prefix := o["awslogs-stream-prefix"]; prefix != "" {
		name = prefix + "/" + name
	}
	return LogStream{
		Region: cmp.Or(o["awslogs-region"], region), Group: o["awslogs-group"], Name: name,
		CreateGroup: o["awslogs-create-group"] == "true",
	}, c.LogConfiguration.LogDriver == "awslogs"
}
