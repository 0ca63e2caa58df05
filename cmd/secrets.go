package cmd

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"slipway/cmd/secretlist"
	"slipway/internal/phrase"
	"slipway/project"
	"slipway/rollout/secret/stored"
)

// secretsCommand are the flags of `slipway secrets` and `slipway secrets push`.
type secretsCommand struct {
	project projectFlags
	aws     awsOptions
	output  string
}

func newSecretsCommand(w *cli) *cobra.Command {
	var o secretsCommand
	c := &cobra.Command{
		Use:   "secrets",
		Short: "List the secrets that containers read, and whether AWS has them",
		Long: `Lists the secrets of the compose file that services read on ECS: whether Secrets Manager
or the Parameter Store has each, when it was last changed, and which services read it.
Where this host has the value, in the file or the variable of the compose file, and the
caller may read the one in Secrets Manager, the two are compared. No value is printed.

A secret is called PROJECT/NAME in Secrets Manager. An external one has the ARN of a
secret, or the name or the ARN of a parameter, as its name. docs/secrets.md has more.`,
		Example: "  slipway secrets\n  slipway secrets push\n  slipway secrets push db_password",
		Args:    cobra.NoArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return runSecrets(c.Context(), w, o) },
	}
	o.flags(c)
	c.AddCommand(newSecretsPushCommand(w))
	return c
}

func newSecretsPushCommand(w *cli) *cobra.Command {
	var o secretsCommand
	c := &cobra.Command{
		Use:   "push [NAME...]",
		Short: "Write the values of secrets that differ to Secrets Manager",
		Long: `Reads the values of the project's secrets on this host, from the file or the variable that
the compose file names, and writes those that differ from the values in Secrets Manager.
One newline at the end of a value is cut off. Without a name, it writes all secrets except
for external ones.

Nothing is written if a value is missing, empty, binary or larger than 64 KiB, or if a
build context has the file of a secret and .dockerignore does not exclude it. Running
tasks keep the values that they started with, until the next rollout.`,
		Example: "  slipway secrets push\n  slipway secrets push db_password --output json",
		RunE:    func(c *cobra.Command, args []string) error { return runSecretsPush(c.Context(), w, o, args) },
	}
	o.flags(c)
	o.project.onlyTrusted(c.Flags())
	return c
}

func (o *secretsCommand) flags(c *cobra.Command) {
	o.project.flags(c.Flags())
	o.aws.flags(c.Flags())
	c.Flags().StringVar(&o.output, "output", "text", "form of the result on stdout: text or json")
}

func runSecrets(ctx context.Context, w *cli, o secretsCommand) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	secrets, err := project.ReadSecrets(ctx, &w.Host, o.project.Options, nil)
	if err != nil {
		return err
	}
	if len(secrets.List) == 0 {
		w.Infof("no service reads a secret")
		return o.print(w, secretlist.Rows{})
	}
	cloud, err := openAWS(ctx, w, o.aws)
	if err != nil {
		return err
	}
	rows, err := secretlist.Read(ctx, cloud, secrets.List)
	return errors.Join(o.print(w, rows), err)
}

func (o secretsCommand) print(w *cli, rows secretlist.Rows) error {
	if o.output == "json" {
		return writeJSON(w.stdout, rows)
	}
	return rows.Print(w.stdout)
}

func runSecretsPush(ctx context.Context, w *cli, o secretsCommand, names []string) error {
	if err := checkOutput(o.output); err != nil {
		return err
	}
	if err := refuseUntrusted(w, o.project.Trust, "secrets push"); err != nil {
		return err
	}
	secrets, err := project.SecretsToPush(ctx, &w.Host, o.project.Options, names)
	if err != nil {
		return err
	}
	results := []stored.Pushed{}
	if len(secrets.List) == 0 {
		w.Infof("the project has no secret to write")
	} else {
		cloud, openErr := openAWS(ctx, w, o.aws)
		if openErr != nil {
			return openErr
		}
		results, err = stored.Push(ctx, cloud, secrets.Project, secrets.List)
	}
	rows := secretlist.PushedRows(results)
	if changed := rows.Count(stored.Changed); changed > 0 {
		w.Infof("running tasks keep the old values of %s until the next rollout", phrase.Count(changed, "secret"))
	}
	if o.output == "json" {
		return errors.Join(writeJSON(w.stdout, rows), err)
	}
	return errors.Join(rows.Print(w.stdout), err)
}
