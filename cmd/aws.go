package cmd

import (
	"context"

	"github.com/spf13/pflag"

	"slipway/cmd/hint"
	"slipway/internal/awsclient"
	"slipway/internal/awsname"
	"slipway/internal/fault"
)

// awsOptions are the flags of every command that makes AWS requests.
type awsOptions struct{ awsclient.Options }

func (o *awsOptions) flags(f *pflag.FlagSet) {
	f.StringVar(&o.Region, "region", "", "AWS `region` (default: as the AWS SDK finds it)")
	o.Timeout = awsclient.DefaultTimeout
	f.Var((*positiveDuration)(&o.Timeout), "aws-timeout", "`time` limit of a request to AWS; a second timeout is an error")
}

// check refuses a region that does not follow AWS's grammar.
func (o awsOptions) check() error {
	return checkNamed("--region", o.Region, hint.Region, awsname.CheckRegion)
}

// logged returns the options with the log as the receiver of messages.
func (o awsOptions) logged(w *cli) awsclient.Options {
	out := o.Options
	out.Log = func(message string) { w.Debugf("%s", message) }
	out.Late = func(late *awsclient.TimeoutError) { w.Warnf("%v; trying again", late) }
	return out
}

// openAWS opens AWS clients as the flags say.
func openAWS(ctx context.Context, w *cli, o awsOptions) (*awsclient.Clients, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	return awsclient.Open(ctx, o.logged(w))
}

// openEarly opens AWS clients in the background, as openAWS does: credentials may
// come from an endpoint, which takes its time. The first function that it returns
// waits for the clients, and the second one gives up.
func openEarly(ctx context.Context, w *cli, o awsOptions) (opened func() (*awsclient.Clients, error), stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var clients *awsclient.Clients
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		clients, err = openAWS(ctx, w, o)
	}()
	opened = func() (*awsclient.Clients, error) {
		<-done
		return clients, err
	}
	return opened, func() {
		cancel()
		<-done
	}
}

// refused gives an error of AWS its kind.
func refused(err error) error { return fault.As(fault.AWS, err) }
