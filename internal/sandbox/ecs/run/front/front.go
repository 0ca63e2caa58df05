// Package front forwards TCP connections from ports of this host to tasks, as a
// load balancer does: to each of a service's ready tasks in turn.
package front

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Key is a port of a container of a service.
type Key struct {
	Region    string `json:"region"`
	Cluster   string `json:"cluster"`
	Service   string `json:"service"`
	Container string `json:"container"`
	Port      int    `json:"port"`
}

// Dial connects to a port of a task.
type Dial func(ctx context.Context, port int) (net.Conn, error)

// Front has a listener for each key that has a task.
type Front struct {
	mu     sync.Mutex
	ports  map[Key]*port
	closed bool
	opened func(k Key, address string)
}

// New returns a front without listeners. opened is called when a listener has
// been opened.
func New(opened func(k Key, address string)) *Front {
	return &Front{ports: map[Key]*port{}, opened: opened}
}

// port is a listener and the tasks behind it.
type port struct {
	key      Key
	listener net.Listener

	mu    sync.Mutex
	tasks []backend
	next  int
}

type backend struct {
	id   string
	dial Dial
}

// Add adds a task behind a key. The first one opens the listener: at the
// container's port if it is free on this host, else at another one.
func (f *Front) Add(k Key, id string, dial Dial) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return net.ErrClosed
	}
	p := f.ports[k]
	if p == nil {
		l, err := listen(k.Port)
		if err != nil {
			return err
		}
		p = &port{key: k, listener: l}
		f.ports[k] = p
		go p.serve()
		f.opened(k, l.Addr().String())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if !slices.ContainsFunc(p.tasks, func(b backend) bool { return b.id == id }) {
		p.tasks = append(p.tasks, backend{id, dial})
	}
	return nil
}

func listen(port int) (net.Listener, error) {
	l, err := net.Listen("tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		l, err = net.Listen("tcp4", "127.0.0.1:0")
	}
	return l, err
}

// Remove takes a task away from all keys. The listener stays: its service may
// start another task.
func (f *Front) Remove(id string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.ports {
		p.mu.Lock()
		p.tasks = slices.DeleteFunc(p.tasks, func(b backend) bool { return b.id == id })
		p.mu.Unlock()
	}
}

// Listener is a key with the address at which it is reached.
type Listener struct {
	Key
	Address string `json:"address"`
	Tasks   int    `json:"tasks"`
}

// Listeners returns all listeners, in the order of their addresses.
func (f *Front) Listeners() []Listener {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := []Listener{}
	for k, p := range f.ports {
		p.mu.Lock()
		out = append(out, Listener{k, p.listener.Addr().String(), len(p.tasks)})
		p.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b Listener) int { return strings.Compare(a.Address, b.Address) })
	return out
}

// Close closes the listeners.
func (f *Front) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	var errs []error
	for _, p := range f.ports {
		errs = append(errs, p.listener.Close())
	}
	return errors.Join(errs...)
}

func (p *port) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return // closed
		}
		go p.forward(c)
	}
}

// turn returns the tasks in the order in which a connection tries them.
func (p *port) turn() []backend {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.tasks) == 0 {
		return nil
	}
	p.next = (p.next + 1) % len(p.tasks)
	return slices.Concat(p.tasks[p.next:], p.tasks[:p.next])
}

// dialLimit bounds a connection to a task.
const dialLimit = 5 * time.Second

// forward connects to the first task that accepts a connection. A task that does
// not listen yet, or not anymore, is passed over.
func (p *port) forward(c net.Conn) {
	defer c.Close()
	for _, b := range p.turn() {
		ctx, cancel := context.WithTimeout(context.Background(), dialLimit)
		to, err := b.dial(ctx, p.key.Port)
		cancel()
		if err == nil {
			join(c, to)
			return
		}
	}
}

// join copies in both directions until both have ended.
func join(a, b net.Conn) {
	defer b.Close()
	var both sync.WaitGroup
	for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
		both.Go(func() {
			_, _ = io.Copy(pair[0], pair[1])
			if half, ok := pair[0].(interface{ CloseWrite() error }); ok {
				_ = half.CloseWrite()
			}
		})
	}
	both.Wait()
}
