package web

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/danielgtaylor/huma/v2/validation"

	"github.com/urutu-go/urutu/fault"
)

// decoder is Huma as far as a route uses it: it reads and validates the input and documents the route. It never sees an
// output and never writes a response, so nothing of it can answer before the commit, and none of its process-wide
// settings (huma.NewError) has a say in how errors look.
type decoder struct {
	huma.API
	handle func(huma.Context)
}

var (
	_ huma.API     = (*decoder)(nil)
	_ huma.Adapter = (*decoder)(nil)
)

// decoding is one use of a decoder: Huma leaves the input or the error here.
type decoding struct {
	in  any
	err any
}

type decodingKey struct{}

func decodingOf(ctx context.Context) *decoding {
	d, _ := ctx.Value(decodingKey{}).(*decoding)
	return d
}

// wrapped is the Huma input of a handler whose In is the JSON body as a whole.
type wrapped[In any] struct {
	Body In
}

// newDecoder registers the operation with Huma. It panics, as Huma does, where the input's tags are wrong.
func newDecoder[In any](api huma.API, op huma.Operation, s shape) *decoder {
	d := &decoder{API: api}
	if s == shapeBody {
		huma.Register(d, op, func(ctx context.Context, in *wrapped[In]) (*struct{}, error) {
			decodingOf(ctx).in = &in.Body
			return nil, nil
		})
		return d
	}
	huma.Register(d, op, func(ctx context.Context, in *In) (*struct{}, error) {
		decodingOf(ctx).in = in
		return nil, nil
	})
	return d
}

// Adapter returns the decoder: the route itself is registered elsewhere.
func (d *decoder) Adapter() huma.Adapter { return d }

// Handle keeps the handler that Huma made.
func (d *decoder) Handle(_ *huma.Operation, handler func(huma.Context)) { d.handle = handler }

// ServeHTTP is never called.
func (d *decoder) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.WriteHeader(http.StatusNotFound)
}

// Negotiate has nothing to choose: what Huma would write is thrown away.
func (d *decoder) Negotiate(string) (string, error) { return "application/json", nil }

// Transform is given the error that Huma is about to write.
func (d *decoder) Transform(ctx huma.Context, _ string, v any) (any, error) {
	decodingOf(ctx.Context()).err = v
	return v, nil
}

// Marshal writes nothing.
func (d *decoder) Marshal(io.Writer, string, any) error { return nil }

// Unmarshal decodes JSON. Its errors are sentences for the client.
func (d *decoder) Unmarshal(contentType string, data []byte, v any) error {
	if contentType != "" {
		media, _, err := mime.ParseMediaType(contentType)
		if err != nil || (media != "application/json" && !strings.HasSuffix(media, "+json")) {
			return fmt.Errorf("%w", huma.ErrUnknownContentType)
		}
	}
	err := json.Unmarshal(data, v)
	var syntax *json.SyntaxError
	var own *fault.Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return errors.New("is not valid JSON")
	case errors.As(err, &own):
		return errors.New(fault.Public(err))
	default:
		return errors.New(wrongForm)
	}
}

// wrongForm is what is wrong with a value that does not decode.
const wrongForm = "has the wrong form"

// parseQuery reads a query string as a whole. url.Values have no trace of a part that cannot be read, which may be a
// filter: so it is all or nothing.
func parseQuery(raw string) (url.Values, error) {
	params, err := url.ParseQuery(raw)
	if err != nil { // which is worded for programmers
		return nil, &fault.Error{
			Kind: fault.BadRequest, Op: "web.decode", Message: "the query string cannot be read",
			Fields: []fault.Field{{Name: "query", Message: wrongForm}},
		}
	}
	return params, nil
}

// decode reads the input from the request, the parameters of its query string and the body that was read from it. Each
// call makes a new one, which is a pointer to a handler's In. The form is what a multipart body was parsed into, or nil;
// its files are the caller's to remove.
func (d *decoder) decode(
	r *http.Request, op *huma.Operation, params url.Values, body []byte, in *input,
) (any, *multipart.Form, error) {
	result := &decoding{}
	r = r.WithContext(context.WithValue(r.Context(), decodingKey{}, result))
	r.Body = newBody(body)
	d.handle(humago.NewContext(op, r, &discard{}))
	if result.err != nil {
		return nil, r.MultipartForm, inputError(result.err, body, in)
	}
	if len(params) > 0 {
		if err := in.setFilters(reflect.ValueOf(result.in).Elem(), params); err != nil {
			return nil, r.MultipartForm, err
		}
	}
	if in.raw != nil {
		// Huma's raw body is a buffer that it has taken back by now.
		reflect.ValueOf(result.in).Elem().FieldByIndex(in.raw).SetBytes(bytes.Clone(body))
	}
	return result.in, r.MultipartForm, nil
}

// discard is the response that Huma believes it writes.
type discard struct{ header http.Header }

func (d *discard) Header() http.Header {
	if d.header == nil {
		d.header = http.Header{}
	}
	return d.header
}

func (d *discard) Write(b []byte) (int, error) { return len(b), nil }
func (d *discard) WriteHeader(int)             {}

// maxFields is how many wrong fields a client is told of at once.
const maxFields = 50

// inputError turns what Huma says of an input into an error with the fields that are wrong.
func inputError(v any, body []byte, in *input) error {
	status, message := http.StatusUnprocessableEntity, ""
	if s, ok := v.(huma.StatusError); ok {
		status, message = s.GetStatus(), s.Error()
	}
	if in.list && status == http.StatusUnprocessableEntity {
		status = http.StatusBadRequest
	}
	e := &fault.Error{Kind: kindOf(status), Op: "web.decode"}
	model, ok := v.(*huma.ErrorModel)
	if !ok || len(model.Errors) == 0 {
		e.Message = message
		return &answer{status, e}
	}
	if status == http.StatusUnsupportedMediaType {
		e.Message = "the body must be JSON"
		return &answer{status, e}
	}
	for _, detail := range model.Errors[:min(len(model.Errors), maxFields)] {
		if detail != nil {
			e.Fields = append(e.Fields, fieldOf(detail, body, in.json))
		}
	}
	return &answer{status, e}
}

// fieldOf names the field as the client knows it: without the part of the request that it is in, but with the property
// that is missing, which Huma has in the message only.
func fieldOf(d *huma.ErrorDetail, body []byte, t reflect.Type) fault.Field {
	where, name, _ := strings.Cut(d.Location, ".")
	if strings.HasPrefix(where, "body[") {
		where, name = "body", strings.TrimPrefix(d.Location, "body")
	}
	f := fault.Field{Name: name, Message: d.Message}
	if property, ok := missing(d.Message); ok {
		f.Name, f.Message = strings.TrimPrefix(name+"."+property, "."), "is required"
	}
	if f.Name == "" && where == "body" && t != nil {
		f.Name = locate(t, body)
	}
	if f.Name == "" {
		f.Name = where
	}
	return f
}

// missing returns the property that a message of Huma's says is missing.
func missing(message string) (string, bool) {
	before, after, _ := strings.Cut(validation.MsgExpectedRequiredProperty, "%s")
	rest, ok := strings.CutPrefix(message, before)
	if !ok {
		return "", false
	}
	return strings.CutSuffix(rest, after)
}
