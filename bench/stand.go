package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	ecrtypes "github.com/aws/aws-sdk-go-v2/service/ecr/types"
	"github.com/aws/smithy-go/middleware"
	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/types"
	"golang.org/x/sync/errgroup"

	"slipway/internal/awsclient"
	"slipway/internal/enginetest"
)

// stand is what all contestants share: one daemon and one registry, each a
// process of its own.
type stand struct {
	engine  *enginetest.Engine
	sandbox *exec.Cmd
	env     []string // points AWS clients at the sandbox
	home    string   // home directory and docker config of all programs
	ecr     *ecr.Client
	host    string // of the registry
	login   types.AuthConfig
}

func openStand(ctx context.Context, dir, sandboxBin string) (*stand, error) {
	s := &stand{home: filepath.Join(dir, "home")}
	if err := os.Mkdir(s.home, 0o700); err != nil {
		return s, err
	}
	config.SetDir(s.home) // this process talks to the registry as well
	if err := s.startSandbox(ctx, sandboxBin, dir); err != nil {
		return s, fmt.Errorf("starting the sandbox: %w", err)
	}
	if err := s.logIn(ctx); err != nil {
		return s, err
	}
	var err error
	s.engine, err = enginetest.Launch(ctx)
	return s, err
}

func (s *stand) close() error {
	var errs []error
	if s.engine != nil {
		errs = append(errs, s.engine.Close())
	}
	return errors.Join(append(errs, s.closeSandbox())...)
}

func (s *stand) closeSandbox() error {
	if s.sandbox == nil {
		return nil
	}
	return errors.Join(s.sandbox.Process.Signal(syscall.SIGTERM), s.sandbox.Wait())
}

// environ is all that a program run here sees of the environment.
func (s *stand) environ(more ...string) []string {
	env := append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + s.home, "DOCKER_CONFIG=" + s.home, "TMPDIR=" + os.TempDir()}, s.env...)
	return append(env, more...)
}

// startSandbox returns once the sandbox serves. It is a process of its own, so
// that its work is nobody's time but its own.
func (s *stand) startSandbox(ctx context.Context, bin, dir string, flags ...string) error {
	exports, err := os.Create(filepath.Join(dir, "sandbox.env"))
	if err != nil {
		return err
	}
	defer exports.Close()
	// Not under ctx: an interrupted contestant still talks to it.
	cmd := exec.Command(bin, append([]string{"serve", "--addr", "127.0.0.1:0", "--dir", dir}, flags...)...)
	cmd.Stdout = exports
	cmd.SysProcAttr = ownGroup()
	talk, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.sandbox = cmd
	// It says that it serves after it has printed the environment.
	said, err := bufio.NewReader(talk).ReadString('\n')
	if err != nil {
		return fmt.Errorf("it ended at once: %w: %s", err, said)
	}
	data, err := os.ReadFile(exports.Name())
	if err != nil {
		return err
	}
	s.env, err = parseExports(data)
	return err
}

// parseExports reads `export NAME=VALUE` lines.
func parseExports(data []byte) ([]string, error) {
	var out []string
	for line := range bytes.Lines(data) {
		entry, ok := strings.CutPrefix(strings.TrimSpace(string(line)), "export ")
		if !ok || !strings.Contains(entry, "=") {
			return nil, fmt.Errorf("no export line: %q", line)
		}
		out = append(out, entry)
	}
	return out, nil
}

// logIn gets a token and writes it where docker's tools look for it.
func (s *stand) logIn(ctx context.Context) error {
	vars := s.variables()
	s.ecr = ecr.New(ecr.Options{
		BaseEndpoint: aws.String(vars["AWS_ENDPOINT_URL"]),
		Region:       vars["AWS_REGION"],
		Credentials:  credentials.NewStaticCredentialsProvider(vars["AWS_ACCESS_KEY_ID"], vars["AWS_SECRET_ACCESS_KEY"], ""),
		APIOptions:   []func(*middleware.Stack) error{awsclient.PlainBody},
	})
	out, err := s.ecr.GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{})
	if err != nil {
		return err
	}
	if len(out.AuthorizationData) != 1 {
		return fmt.Errorf("%d logins from the sandbox, want 1", len(out.AuthorizationData))
	}
	auth := out.AuthorizationData[0]
	token := aws.ToString(auth.AuthorizationToken)
	plain, err := base64.StdEncoding.DecodeString(token)
	if err != nil {
		return fmt.Errorf("the sandbox's token: %w", err)
	}
	s.login.Username, s.login.Password, _ = strings.Cut(string(plain), ":")
	_, s.host, _ = strings.Cut(aws.ToString(auth.ProxyEndpoint), "://")
	data, err := json.Marshal(map[string]any{"auths": map[string]any{s.host: map[string]string{"auth": token}}})
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.home, "config.json"), data, 0o600)
}

// createRepositories makes a prefix's repositories, which are new to the engine
// and empty: every layer has to be sent to them.
func (s *stand) createRepositories(ctx context.Context, prefix string, services []string) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, name := range services {
		g.Go(func() error {
			_, err := s.ecr.CreateRepository(ctx, &ecr.CreateRepositoryInput{RepositoryName: aws.String(prefix + "/" + name)})
			return err
		})
	}
	return g.Wait()
}

// digests asks what a tag stands on in each of a prefix's repositories. An
// image that is too small to hold the workload's data is an error.
func (s *stand) digests(ctx context.Context, prefix, tag string, services []string) (string, error) {
	var all []string
	for _, name := range services {
		out, err := s.ecr.DescribeImages(ctx, &ecr.DescribeImagesInput{
			RepositoryName: aws.String(prefix + "/" + name),
			ImageIds:       []ecrtypes.ImageIdentifier{{ImageTag: aws.String(tag)}},
		})
		if err != nil {
			return "", err
		}
		if len(out.ImageDetails) != 1 {
			return "", fmt.Errorf("%s/%s:%s: %d images, want 1", prefix, name, tag, len(out.ImageDetails))
		}
		image := out.ImageDetails[0]
		if size := aws.ToInt64(image.ImageSizeInBytes); size < dataMB<<20/3 {
			return "", fmt.Errorf("%s/%s:%s: only %d bytes, so it was not built from the workload", prefix, name, tag, size)
		}
		all = append(all, aws.ToString(image.ImageDigest))
	}
	return strings.Join(all, " "), nil
}
