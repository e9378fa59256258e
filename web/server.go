package web

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/urutu-go/urutu/fault"
)

// ServerConfig is how a [Server] is made.
type ServerConfig struct {
	// Addr is where it listens: "127.0.0.1:8080". Port 0 takes a free one. Defaults to ":8080".
	Addr string
	// Handler answers the requests, an [API] for one. Required.
	Handler http.Handler
	// ReadHeaderTimeout, ReadTimeout, WriteTimeout and IdleTimeout are those of http.Server. They default to 5 seconds, 30
	// seconds, 1 minute and 2 minutes; a negative one is none. Handlers that stream for longer move their deadlines with an
	// http.ResponseController.
	ReadHeaderTimeout, ReadTimeout, WriteTimeout, IdleTimeout time.Duration
	// MaxHeaderBytes bounds a request's header. Defaults to 64 KiB.
	MaxHeaderBytes int
	// Logger takes what goes wrong with connections. Defaults to slog.Default().
	Logger *slog.Logger
}

func (c ServerConfig) withDefaults() ServerConfig {
	c.Addr = cmp.Or(c.Addr, ":8080")
	c.ReadHeaderTimeout = cmp.Or(c.ReadHeaderTimeout, 5*time.Second)
	c.ReadTimeout = cmp.Or(c.ReadTimeout, 30*time.Second)
	c.WriteTimeout = cmp.Or(c.WriteTimeout, time.Minute)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, 2*time.Minute)
	c.MaxHeaderBytes = cmp.Or(c.MaxHeaderBytes, 64<<10)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return c
}

// Server serves HTTP as a component of an urutu.App. It may be started again after it was stopped. All methods may be
// called concurrently.
type Server struct {
	cfg    ServerConfig
	failed chan error

	mu  sync.Mutex // protects run
	run *serving   // nil while stopped
}

// serving is one run of a server.
type serving struct {
	server   *http.Server
	listener net.Listener
	done     chan struct{} // closed when Serve has returned

	mu       sync.Mutex // protects stopping
	stopping bool
}

// NewServer returns a server that is not started yet.
func NewServer(cfg ServerConfig) *Server {
	return &Server{cfg: cfg.withDefaults(), failed: make(chan error, 1)}
}

// Name returns "http".
func (s *Server) Name() string { return "http" }

// Role returns "http": an application that runs another role only leaves the server out.
func (s *Server) Role() string { return "http" }

// Failed delivers the error by which the server stopped serving on its own.
func (s *Server) Failed() <-chan error { return s.failed }

// Start listens, and serves in the background until Stop. It fails if the address is taken, if the handler is an [API]
// whose routes have errors, and if the server runs already. The requests' contexts have the values of ctx but not its
// cancellation.
func (s *Server) Start(ctx context.Context) error {
	if s.cfg.Handler == nil {
		return &fault.Error{Kind: fault.Misconfigured, Op: "web.Server", Message: "Handler is not set"}
	}
	if h, ok := s.cfg.Handler.(interface{ Err() error }); ok {
		if err := h.Err(); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run != nil {
		return &fault.Error{Kind: fault.Misconfigured, Op: "web.Server", Message: "the server runs already"}
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.cfg.Addr)
	if err != nil {
		return &fault.Error{Kind: fault.Misconfigured, Op: "web.Server: listen on " + s.cfg.Addr, Err: err}
	}
	s.run = &serving{server: s.server(context.WithoutCancel(ctx)), listener: &onceListener{Listener: l}, done: make(chan struct{})}
	go s.serve(s.run)
	return nil
}

func (s *Server) server(base context.Context) *http.Server {
	return &http.Server{
		Handler:           s.cfg.Handler,
		ReadHeaderTimeout: max(s.cfg.ReadHeaderTimeout, 0),
		ReadTimeout:       max(s.cfg.ReadTimeout, 0),
		WriteTimeout:      max(s.cfg.WriteTimeout, 0),
		IdleTimeout:       max(s.cfg.IdleTimeout, 0),
		MaxHeaderBytes:    s.cfg.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(s.cfg.Logger.Handler(), slog.LevelWarn),
		BaseContext:       func(net.Listener) context.Context { return base },
	}
}

func (s *Server) serve(run *serving) {
	defer close(run.done)
	err := run.server.Serve(run.listener)
	if run.isStopping() || errors.Is(err, http.ErrServerClosed) {
		return
	}
	select {
	case s.failed <- &fault.Error{Kind: fault.Internal, Op: "web.Server", Err: err}:
	default: // nobody took the last one
	}
}

func (r *serving) isStopping() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stopping
}

// StopIntake takes no new connections and no more requests on idle ones; the requests under way go on. It is the first
// half of Stop, for an application that wants all of its components to stop their intake before it waits for any.
func (s *Server) StopIntake() {
	s.mu.Lock()
	run := s.run
	s.mu.Unlock()
	if run != nil {
		run.stopIntake()
	}
}

func (r *serving) stopIntake() {
	r.mu.Lock()
	first := !r.stopping
	r.stopping = true
	r.mu.Unlock()
	if first {
		_ = r.listener.Close() // what is under way does not depend on it
		r.server.SetKeepAlivesEnabled(false)
	}
}

// Stop takes no more requests and waits for those under way until ctx ends; then it breaks them off and returns an
// error. Stopping a server that does not run does nothing.
func (s *Server) Stop(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	run := s.run
	if run == nil {
		return nil
	}
	s.run = nil
	err := run.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, run.server.Close())
	}
	<-run.done
	if err != nil {
		return &fault.Error{Kind: fault.KindOf(err), Op: "web.Server: requests were still under way", Err: err}
	}
	return nil
}

// onceListener is a listener that may be closed twice: by StopIntake and by http.Server.
type onceListener struct {
	net.Listener
	once sync.Once
	err  error
}

// Close closes the listener the first time, and returns what that returned each time.
func (l *onceListener) Close() error {
	l.once.Do(func() { l.err = l.Listener.Close() })
	return l.err
}

// Addr returns the address that the server listens on, nil while it is stopped.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.run == nil {
		return nil
	}
	return s.run.listener.Addr()
}
