package web

import (
	"cmp"
	"context"
	"maps"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/urutu-go/urutu/fault"
	"github.com/urutu-go/urutu/uow"
)

// endpoint answers the requests of one route. It is immutable.
type endpoint struct {
	api       *API
	op        uow.Op
	operation huma.Operation
	input     input
	decoder   *decoder
	call      func(ctx context.Context, in any) (any, error)
	presenter presenter
	status    int
	maxBody   int64
	stream    bool
}

// result is what one run of the handler came to.
type result struct {
	out   any // a pointer to an Out, nil where the handler did not succeed
	reply *Reply
}

// ServeHTTP keeps the one order that matters: the input is decoded and checked, the unit runs the handler and commits,
// the result is mapped and encoded into memory, and only then the first byte is written.
func (e *endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{endpoint: e, r: r, w: track(w)}
	defer x.close()
	if err := x.read(w); err != nil {
		x.fail(err)
		return
	}
	if err := e.api.cfg.Runner.Do(r.Context(), e.op, x.run); err != nil {
		x.fail(err)
		return
	}
	if err := x.respond(); err != nil {
		x.fail(err)
	}
}

// exchange is one request and its response.
type exchange struct {
	*endpoint
	r      *http.Request
	w      *tracker
	params url.Values // of the query string, where the input reads it and there is one
	body   []byte
	in     any // decoded and not yet given to the handler
	forms  []*multipart.Form
	// before is the response's header before a stream added to it, nil where none did.
	before http.Header
	result
}

// read reads the query string and the body and decodes the input once, so that a bad one costs no unit.
func (x *exchange) read(w http.ResponseWriter) (err error) {
	if x.input.query && x.r.URL.RawQuery != "" {
		if x.params, err = parseQuery(x.r.URL.RawQuery); err != nil {
			return err
		}
	}
	if x.input.body {
		if x.body, err = readBody(w, x.r, x.maxBody); err != nil {
			return err
		}
	}
	x.in, err = x.decode()
	return err
}

func (x *exchange) decode() (any, error) {
	in, form, err := x.decoder.decode(x.r, &x.operation, x.params, x.body, &x.input)
	if form != nil {
		x.forms = append(x.forms, form)
	}
	return in, err
}

// run is the unit's function. A unit that is run again gets a new input, whatever the first run did to its own.
func (x *exchange) run(ctx context.Context) (err error) {
	x.result = result{reply: newReply()}
	in := x.in
	x.in = nil
	if in == nil {
		if in, err = x.decode(); err != nil {
			return err
		}
	}
	out, err := x.call(context.WithValue(ctx, replyKey{}, x.reply), in)
	if err != nil {
		return err
	}
	if s := x.reply.Status; s != 0 && (s < 200 || s > 399) {
		return &fault.Error{Kind: fault.Misconfigured, Op: "web.Reply", Message: "status " + strconv.Itoa(s) + " is no success"}
	}
	if x.stream {
		return x.write(ctx, out.(*Stream))
	}
	x.out = out
	return nil
}

// respond writes the response of a committed unit.
func (x *exchange) respond() error {
	if s, ok := x.out.(*Stream); ok {
		return x.write(x.r.Context(), s)
	}
	if x.stream {
		x.w.begin() // a stream that wrote nothing is an empty success
		return nil
	}
	if x.out == nil || x.presenter.response == nil {
		return x.respondEmpty()
	}
	v, err := x.presenter.build(x.out)
	if err != nil {
		return committed("mapping the result", err)
	}
	body, err := encode(v)
	if err != nil {
		return committed("encoding the result", err)
	}
	h := x.header()
	status := cmp.Or(x.reply.Status, x.status)
	if !bodyAllowed(status) {
		x.w.WriteHeader(status)
		return nil
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	x.w.WriteHeader(status)
	_, _ = x.w.Write(body) // a client that went away cannot be told so
	return nil
}

// respondEmpty answers without a body: Out is struct{}, or an interceptor made a success of a handler's error, or did
// not call it.
func (x *exchange) respondEmpty() error {
	if x.out == nil {
		x.w.WriteHeader(http.StatusNoContent)
		return nil
	}
	x.header()
	x.w.WriteHeader(cmp.Or(x.reply.Status, x.status))
	return nil
}

// header returns the response's header with the reply's added.
func (x *exchange) header() http.Header {
	h := x.w.Header()
	maps.Copy(h, x.reply.Header)
	return h
}

// fail answers with a problem, or breaks the connection off where a response has begun.
func (x *exchange) fail(err error) {
	if x.before != nil && !x.w.begun { // what was set for a success must not go out with a problem
		h := x.w.Header()
		clear(h)
		maps.Copy(h, x.before)
	}
	failResponse(x.w, x.r, err)
}

func (x *exchange) close() {
	for _, form := range x.forms {
		_ = form.RemoveAll() // temporary files that the server does not know of
	}
}

// committed marks an error that came too late to roll anything back.
func committed(doing string, err error) error {
	return &fault.Error{Kind: fault.Internal, Op: "web: " + doing + " of a unit that has committed", Err: hidden{err}}
}

// hidden keeps the kind and message of an error to the log: after the commit it is the server's failure, whatever it is.
type hidden struct{ error }
