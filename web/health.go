package web

import (
	"context"
	"fmt"
	"net/http"
	"sync"
)

// Check is a part of whether the service can do its work, asked by /readyz.
type Check struct {
	// Name is for the log.
	Name string
	// Ready returns nil if it can. It must be safe for concurrent use and respect its context. A session.DB's Ping and an
	// urutu.App's Ready fit.
	Ready func(ctx context.Context) error
}

// serveHealth answers whether the process runs: it does.
func (a *API) serveHealth(w http.ResponseWriter, _ *http.Request) { serveStatus(w, true) }

// serveReady asks all checks at once. The client learns up or down; why not is in the log.
func (a *API) serveReady(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), a.cfg.ReadyTimeout)
	defer cancel()
	errs := make([]error, len(a.cfg.Ready))
	var wg sync.WaitGroup
	for i, c := range a.cfg.Ready {
		wg.Go(func() { errs[i] = c.run(ctx) })
	}
	wg.Wait()
	up := true
	for i, err := range errs {
		if err != nil {
			up = false
			c := callOf(ctx)
			c.log().WarnContext(ctx, "not ready", "request_id", c.id, "check", a.cfg.Ready[i].Name, "error", err)
		}
	}
	serveStatus(w, up)
}

func (c Check) run(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return c.Ready(ctx)
}

func serveStatus(w http.ResponseWriter, up bool) {
	status, body := http.StatusOK, `{"status":"up"}`
	if !up {
		status, body = http.StatusServiceUnavailable, `{"status":"down"}`
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body))
}
