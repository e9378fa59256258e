package web

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
)

// MiddlewareConfig is how a [Middleware] is made. The zero value is usable.
type MiddlewareConfig struct {
	// Runner runs the units of work. Defaults to one without interceptors that knows no database.
	Runner *uow.Runner
	// Options are those of every unit.
	Options uow.Options
	// Name names a request's operation, with few distinct values. Defaults to the pattern that ServeMux matched, with the
	// method, else to the method alone.
	Name func(r *http.Request) string
	// Failed reports whether a response of that status rolls its unit back. The response is sent all the same. Defaults to
	// 400 and above.
	Failed func(status int) bool
	// Stream reports whether the request's response is written as the handler writes it. Defaults to never. Such a handler
	// may flush and hijack, but the client sees its status before the commit: where the handler or the commit fails after
	// that, the connection is broken off, which is all that is left to say. Such units are not retried.
	Stream func(r *http.Request) bool
	// MaxResponse is how many bytes a buffered response may have; more is a 500, and rolls back. Defaults to 8 MiB.
	MaxResponse int64
	// MaxReplay is how many bytes of a request's body are remembered for a unit that is run again. A request with more is
	// not run again once its handler has read them. Defaults to 1 MiB.
	MaxReplay int64
	// Logger takes server errors. Defaults to slog.Default(), or to that of the API that the handler is part of.
	Logger *slog.Logger
}

func (c MiddlewareConfig) withDefaults() MiddlewareConfig {
	if c.Runner == nil {
		c.Runner = uow.NewRunner(uow.Config{Logger: c.Logger})
	}
	if c.Name == nil {
		c.Name = nameOf
	}
	if c.Failed == nil {
		c.Failed = func(status int) bool { return status >= http.StatusBadRequest }
	}
	if c.Stream == nil {
		c.Stream = func(*http.Request) bool { return false }
	}
	c.MaxResponse = cmp.Or(c.MaxResponse, 8<<20)
	c.MaxReplay = cmp.Or(c.MaxReplay, 1<<20)
	return c
}

// nameOf is the default name of an operation.
func nameOf(r *http.Request) string {
	switch {
	case r.Pattern == "":
		return r.Method
	case strings.Contains(r.Pattern, " "):
		return r.Pattern
	default:
		return r.Method + " " + r.Pattern
	}
}

// Middleware runs any http.Handler in one unit of work per request. The handler's response is kept in memory until the
// unit has committed; a response of an error status, or a panic, rolls it back. A commit that fails is answered with a
// [Problem], and nothing of the handler's response is sent.
//
// The buffered http.ResponseWriter can neither flush nor hijack, nor be unwrapped by an http.ResponseController.
func Middleware(cfg MiddlewareConfig) func(http.Handler) http.Handler {
	cfg = cfg.withDefaults()
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r = begin(w, r, cfg.Logger)
			t := track(w)
			defer recoverPanic(t, r)
			p := &plain{cfg: &cfg, next: next, w: t, r: r, body: &replay{source: r.Body, limit: cfg.MaxReplay}}
			op := uow.Op{Kind: uow.HTTP, Name: cfg.Name(r), Options: cfg.Options}
			if cfg.Stream(r) {
				op.Options.Retry.Attempts = -1
				p.finish(cfg.Runner.Do(r.Context(), op, p.stream), true)
				return
			}
			p.finish(cfg.Runner.Do(r.Context(), op, p.run), false)
		})
	}
}

// plain is one request to a plain handler.
type plain struct {
	cfg  *MiddlewareConfig
	next http.Handler
	w    *tracker
	r    *http.Request
	body *replay

	buffer *buffer // the response of the last run
}

// failedStatus is the error of a run whose handler answered with an error.
type failedStatus struct{ status int }

func (f *failedStatus) Error() string { return fmt.Sprintf("web: the handler answered %d", f.status) }

// run is the unit's function. A unit that is run again gets a new response and the same request.
func (p *plain) run(ctx context.Context) error {
	p.buffer = nil
	if p.body.full {
		return &fault.Error{ // the client has the whole request; we do not
			Kind: fault.Serialization, Op: "web.Middleware", Err: errors.New("the request's body is too large to be run again"),
		}
	}
	b := newBuffer(p.w, p.cfg.MaxResponse)
	p.call(ctx, b)
	b.finish()
	if b.tooLong {
		return &fault.Error{Kind: fault.Misconfigured, Op: "web.Middleware", Err: errBufferFull}
	}
	p.buffer = b
	if p.cfg.Failed(b.status) {
		return &failedStatus{b.status}
	}
	return nil
}

// stream is the unit's function where the response is written at once.
func (p *plain) stream(ctx context.Context) error {
	p.call(ctx, p.w)
	if p.cfg.Failed(p.w.status) {
		return &failedStatus{p.w.status}
	}
	return nil
}

// call runs the handler with a request of its own, so that another run does not see what it did to it.
func (p *plain) call(ctx context.Context, w http.ResponseWriter) {
	r := p.r.Clone(ctx)
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = p.body.reader()
	}
	defer func() {
		if r.MultipartForm != nil && r.MultipartForm != p.r.MultipartForm {
			_ = r.MultipartForm.RemoveAll() // temporary files that the server does not know of
		}
	}()
	p.next.ServeHTTP(w, r)
}

// finish sends what the outcome allows.
func (p *plain) finish(err error, stream bool) {
	var failed *failedStatus
	if err != nil && (!errors.As(err, &failed) || (p.buffer == nil && !stream)) {
		failResponse(p.w, p.r, err)
		return
	}
	if err != nil && err != error(failed) { //nolint:errorlint // more than the status means that the rollback failed too
		c := callOf(p.r.Context())
		c.log().ErrorContext(p.r.Context(), "rollback failed", "request_id", c.id, "error", err)
	}
	switch {
	case stream:
		p.w.begin()
	case p.buffer == nil: // an interceptor did not call the handler
		p.w.WriteHeader(http.StatusNoContent)
	default:
		p.buffer.deliver(p.w, p.r.Method == http.MethodHead)
	}
}
