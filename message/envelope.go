package message

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/urutu-go/urutu/fault"
)

// Headers are what travels beside a payload: trace context, correlation, tenant. Names are lower case.
type Headers map[string]string

// The headers that flow from a message, or a request, to the messages that are published while it is handled.
const (
	// TraceParent and TraceState are the trace context of W3C.
	TraceParent = "traceparent"
	TraceState  = "tracestate"
	// CorrelationID is the same for everything that follows from one cause.
	CorrelationID = "correlation-id"
	// CausationID is the id of the message whose handling published this one. It does not flow any further.
	CausationID = "causation-id"
	// Tenant is whose data a message is about.
	Tenant = "tenant"
)

const (
	maxHeaders     = 64
	maxHeaderName  = 128
	maxHeaderValue = 8 << 10
)

// Validate says what is wrong with the headers: at most 64 of them, names of lower-case letters, digits and - _ . of at
// most 128 bytes, values of printable text of at most 8 KiB.
func (h Headers) Validate() error {
	if len(h) > maxHeaders {
		return fault.New(fault.Invalid, fmt.Sprintf("a message has at most %d headers, not %d", maxHeaders, len(h)))
	}
	for name, v := range h {
		if name == "" || len(name) > maxHeaderName || strings.ContainsFunc(name, outsideName) {
			return fault.New(fault.Invalid, fmt.Sprintf("%.40q is no name of a header", name))
		}
		if len(v) > maxHeaderValue || !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
			return fault.New(fault.Invalid, fmt.Sprintf("the value of header %q is too long or not printable", name))
		}
	}
	return nil
}

func outsideName(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// envelopeVersion is that of what Seal writes. Readers refuse newer ones.
const envelopeVersion = 1

// Envelope is what is stored beside a payload, for programs of any version that share the tables.
type Envelope struct {
	// Version is that of the payload.
	Version int
	// Headers are the message's own.
	Headers Headers
}

type sealed struct {
	Envelope int     `json:"e"`
	Version  int     `json:"v"`
	Headers  Headers `json:"h,omitempty"`
}

// Seal returns the envelope as bytes.
func (e Envelope) Seal() ([]byte, error) {
	return json.Marshal(sealed{envelopeVersion, max(e.Version, 1), e.Headers})
}

// ErrNewer says that an envelope was written by a newer program than this one.
const ErrNewer = newer("the envelope is of a newer version")

type newer string

func (n newer) Error() string { return string(n) }

// Unseal reads what Seal wrote. Its error is fault.Invalid, with [ErrNewer] below it where a newer program wrote it.
func Unseal(b []byte) (Envelope, error) {
	var s sealed
	err := json.Unmarshal(b, &s)
	switch {
	case s.Envelope > envelopeVersion: // what else it holds may have another form, which is an error too
		return Envelope{}, &fault.Error{Kind: fault.Invalid, Op: "message.Unseal", Err: ErrNewer}
	case err != nil:
		return Envelope{}, &fault.Error{Kind: fault.Invalid, Op: "message.Unseal", Err: err}
	}
	if s.Envelope < 1 || s.Version < 1 {
		return Envelope{}, &fault.Error{Kind: fault.Invalid, Op: "message.Unseal", Message: "it has no version"}
	}
	return Envelope{s.Version, s.Headers}, nil
}
