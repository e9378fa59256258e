package web_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/web"
)

func newServer(h http.HandlerFunc) *web.Server {
	return web.NewServer(web.ServerConfig{Addr: "127.0.0.1:0", Handler: h, Logger: quiet()})
}

// get asks the server and closes the connection.
func get(t *testing.T, s *web.Server) (string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.Addr().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestServerServesFromStartToStop(t *testing.T) {
	t.Parallel()

	type key struct{}
	s := newServer(func(w http.ResponseWriter, r *http.Request) {
		if r.Context().Err() != nil {
			t.Error("the context of the start ended the request's")
		}
		_, _ = io.WriteString(w, r.Context().Value(key{}).(string))
	})
	if s.Addr() != nil || s.Name() != "http" || s.Role() != "http" {
		t.Errorf("addr %v before the start", s.Addr())
	}
	for range 2 {
		ctx, cancel := context.WithCancel(context.WithValue(t.Context(), key{}, "home"))
		if err := s.Start(ctx); err != nil {
			t.Fatal(err)
		}
		cancel()
		if body, err := get(t, s); err != nil || body != "home" {
			t.Errorf("%q, %v", body, err)
		}
		if err := s.Start(t.Context()); !errors.Is(err, fault.Misconfigured) {
			t.Errorf("second start: %v", err)
		}
		for range 2 {
			if err := s.Stop(t.Context()); err != nil {
				t.Error(err)
			}
		}
	}
	s.StopIntake() // nothing to do
	select {
	case err := <-s.Failed():
		t.Errorf("failed: %v", err)
	default:
	}
}

func TestServerFailsWhereItsPortIsTaken(t *testing.T) {
	t.Parallel()

	first := newServer(func(http.ResponseWriter, *http.Request) {})
	if err := first.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	second := web.NewServer(web.ServerConfig{Addr: first.Addr().String(), Handler: http.NotFoundHandler()})
	if err := second.Start(t.Context()); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), first.Addr().String()) {
		t.Errorf("err = %v", err)
	}
	if err := errors.Join(first.Stop(t.Context()), second.Stop(t.Context())); err != nil {
		t.Error(err)
	}
	if err := web.NewServer(web.ServerConfig{}).Start(t.Context()); !errors.Is(err, fault.Misconfigured) {
		t.Errorf("without a handler: %v", err)
	}
}

func TestServerDrains(t *testing.T) {
	t.Parallel()

	inside, release := make(chan struct{}), make(chan struct{})
	s := newServer(func(w http.ResponseWriter, _ *http.Request) {
		close(inside)
		<-release
		_, _ = io.WriteString(w, "done")
	})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	addr := s.Addr().String()
	var wg sync.WaitGroup
	wg.Go(func() {
		if body, err := get(t, s); err != nil || body != "done" {
			t.Errorf("the request under way: %q, %v", body, err)
		}
	})
	<-inside
	s.StopIntake()
	s.StopIntake()
	if conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr); err == nil {
		t.Error("a connection after the intake was stopped")
		_ = conn.Close()
	}
	wg.Go(func() {
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
	})
	close(release)
	wg.Wait()
}

func TestServerBreaksOffWhatDoesNotEnd(t *testing.T) {
	t.Parallel()

	inside, ended := make(chan struct{}), make(chan struct{})
	s := newServer(func(_ http.ResponseWriter, r *http.Request) {
		close(inside)
		<-r.Context().Done()
		close(ended)
	})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		if body, err := get(t, s); err == nil {
			t.Errorf("answered %q", body)
		}
	})
	<-inside
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := s.Stop(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("stop: %v", err)
	}
	<-ended
	wg.Wait()
}

func TestServerBoundsHeaders(t *testing.T) {
	t.Parallel()

	s := web.NewServer(web.ServerConfig{
		Addr: "127.0.0.1:0", Handler: http.NotFoundHandler(), ReadHeaderTimeout: 20 * time.Millisecond, WriteTimeout: -1, Logger: quiet(),
	})
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "GET / HTTP/1.1\r\nHost: x\r\n"); err != nil {
		t.Fatal(err)
	}
	// The header never ends: the server does not wait for it.
	if _, err := bufio.NewReader(conn).ReadString('x'); !errors.Is(err, io.EOF) {
		t.Errorf("read: %v", err)
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
}
