package main

import (
	"net"
	"time"
)

// delayProxy passes TCP connections on, and each byte a while after it came: it is
// the way to a host far away. A new connection costs nothing by itself.
type delayProxy struct {
	net.Listener
	target string
	delay  time.Duration // in each direction
}

// serve returns when the listener is closed.
func (p delayProxy) serve() {
	for {
		near, err := p.Accept()
		if err != nil {
			return
		}
		go p.connect(near.(*net.TCPConn))
	}
}

func (p delayProxy) connect(near *net.TCPConn) {
	defer near.Close()
	conn, err := net.Dial("tcp", p.target)
	if err != nil {
		return // near is closed, as by a host that is down
	}
	far := conn.(*net.TCPConn)
	defer far.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.pass(far, near)
	}()
	p.pass(near, far)
	<-done
}

// piece is the result of one Read, and the time at which it arrives.
type piece struct {
	data []byte
	due  time.Time
}

// inFlight is how many pieces are on their way at most: enough not to bound the
// bandwidth.
const inFlight = 256

// pass copies what src sends to dst until src sends no more.
func (p delayProxy) pass(dst, src *net.TCPConn) {
	flight := make(chan piece, inFlight)
	go func() {
		defer close(flight)
		for {
			buf := make([]byte, 64<<10)
			n, err := src.Read(buf)
			if n > 0 {
				flight <- piece{buf[:n], time.Now().Add(p.delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for next := range flight {
		time.Sleep(time.Until(next.due))
		if _, err := dst.Write(next.data); err != nil {
			_ = src.CloseRead() // ends the reader
			for range flight {  // and lets it say so
			}
			return
		}
	}
	_ = dst.CloseWrite() // it may be closed already
}
