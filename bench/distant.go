package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// oneWay is how long a byte takes to AWS and the registry of the distant stand.
	oneWay = 15 * time.Millisecond
	// The budgets there, of buildx bake.
	distantNewBudget  = 0.35
	distantColdBudget = 1.0
)

// distant measures the builds where AWS and the registry are 30 ms away, there and
// back: requests in series take their time there.
func (b *bench) distant(ctx context.Context) (rows []row, err error) {
	far := *b
	proxy, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	defer proxy.Close()
	if far.stand, err = b.stand.distant(ctx, b, proxy); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, far.stand.closeSandbox()) }()
	cold, err := far.coldSamples(ctx)
	if err != nil {
		return nil, err
	}
	seeds, err := far.seedAgain(ctx)
	if err != nil {
		return nil, err
	}
	fresh, err := far.newTagSamples(ctx, seeds)
	if err != nil {
		return nil, err
	}
	away := fmt.Sprintf("%d ms to AWS: ", (2 * oneWay).Milliseconds())
	return slices.Concat(
		b.compare(away+"cold build of eight services", cold, 0, distantColdBudget),
		b.compare(away+newTagLabel, fresh, 0, distantNewBudget),
	), nil
}

// distant is a stand with the same engine and a sandbox of its own behind a proxy.
func (s *stand) distant(ctx context.Context, b *bench, proxy net.Listener) (*stand, error) {
	dir := filepath.Join(b.dir, "distant")
	far := &stand{engine: s.engine, home: filepath.Join(dir, "home")}
	if err := os.MkdirAll(far.home, 0o700); err != nil {
		return nil, err
	}
	if err := far.startSandbox(ctx, b.sandboxBin, dir, "--public-addr", proxy.Addr().String()); err != nil {
		return nil, err
	}
	near := strings.TrimPrefix(far.variables()["AWS_ENDPOINT_URL"], "http://")
	go delayProxy{proxy, near, oneWay}.serve()
	for i, e := range far.env {
		far.env[i] = strings.ReplaceAll(e, near, proxy.Addr().String())
	}
	if err := far.logIn(ctx); err != nil {
		return nil, errors.Join(err, far.closeSandbox())
	}
	return far, nil
}
