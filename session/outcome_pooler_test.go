package session_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/session"
	"github.com/urutu-go/urutu/uow"
)

// crashing is a relay that does what PgBouncer does when the server's side of a connection breaks: it tells the client so
// in the server's own words, a FATAL error, wherever the client is.
type crashing struct {
	net.Listener
	target  string
	armed   atomic.Bool // the next answers are lost, up to one to a COMMIT
	running sync.WaitGroup
}

func startCrashing(t *testing.T, target string) *crashing {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	r := &crashing{Listener: l, target: target}
	r.running.Go(r.accept)
	t.Cleanup(func() {
		_ = l.Close()
		r.running.Wait()
	})
	return r
}

func (r *crashing) accept() {
	for {
		client, err := r.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", r.target)
		if err != nil {
			_ = client.Close()
			continue
		}
		end := func() { _ = client.Close(); _ = server.Close() }
		r.running.Go(func() { defer end(); _, _ = io.Copy(server, client) })
		r.running.Go(func() { defer end(); r.answer(client, server) })
	}
}

// answer passes on what the server says, until it is to break.
func (r *crashing) answer(client io.Writer, server io.Reader) {
	buf := make([]byte, 1<<16)
	for {
		n, err := server.Read(buf)
		if err != nil {
			return
		}
		b := buf[:n]
		if r.armed.Load() {
			if !bytes.Contains(b, []byte("COMMIT\x00")) {
				continue
			}
			r.armed.Store(false)
			_, _ = client.Write(fatal("08P01", "server conn crashed?"))
			return
		}
		if _, err := client.Write(b); err != nil {
			return
		}
	}
}

// fatal is an ErrorResponse of the protocol.
func fatal(code, message string) []byte {
	body := "SFATAL\x00VFATAL\x00C" + code + "\x00M" + message + "\x00\x00"
	return append(binary.BigEndian.AppendUint32([]byte{'E'}, uint32(len(body)+4)), body...)
}

// A pooler's word that the server's connection crashed is not the server's word that it did nothing.
func TestPoolerLosesTheServer(t *testing.T) {
	t.Parallel()
	u, err := url.Parse(serverURL())
	must(t, err)
	r := startCrashing(t, u.Host)
	b := backends[0]
	direct := b.url
	b.url = func(t testing.TB) string {
		u, err := url.Parse(direct(t))
		must(t, err)
		u.Host = r.Addr().String()
		return u.String()
	}
	f := open(t, b, oneConnection, func(c *session.Config) { c.Pooler, c.Logger = true, slog.New(slog.DiscardHandler) })
	must(t, f.Install(t.Context()))
	add := func(ctx context.Context) error { return session.Add(ctx, &Parent{Name: "a"}) }

	r.armed.Store(true)
	wantFault(t, f.Do(t.Context(), add), fault.OutcomeUnknown)
	wantRows[Parent](t, f, 1)
	r.armed.Store(true)
	must(t, f.Do(t.Context(), add, uow.Options{Resolve: resolving}))
	wantRows[Parent](t, f, 2)
}
