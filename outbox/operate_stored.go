package outbox

import (
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/google/uuid"

	"github.com/urutu-go/urutu/message"
	"github.com/urutu-go/urutu/value"
)

// State is what a message waits for.
type State string

// The states of a message.
const (
	Delayed  State = "delayed"  // for its time
	Waiting  State = "waiting"  // for its turn, or for an earlier one of its key
	Retrying State = "retrying" // it has failed, and is tried again
	Parked   State = "parked"   // it has failed, and waits for an operator
	AnyState State = "any"      // in a Filter: Retrying or Parked
)

// Stored is a message as the tables have it.
type Stored struct {
	// ID is its number in the tables, which operators name it by. A message has one for each destination. One that waits for
	// its time has a number among those that do, and gets another one when its time has come.
	ID int64 `json:"id"`
	// MessageID identifies the message wherever it went.
	MessageID uuid.UUID `json:"message_id"`
	// Destination is whom it is for, and Lane the part of the destination's messages that it is in, or comes into.
	Destination string `json:"destination"`
	Lane        int    `json:"lane"`
	// Topic and Key are its own; Key is "" for none.
	Topic string `json:"topic"`
	Key   string `json:"key,omitempty"`
	// CreatedAt is when it was published.
	CreatedAt time.Time `json:"created_at"`
	// DeliverAt is the time that it waits for, and Once what makes it unique meanwhile; both are zero for one that is Delayed
	// no more.
	DeliverAt time.Time `json:"deliver_at,omitzero"`
	Once      string    `json:"once,omitempty"`
	// State is what it waits for. What follows up to LastError is zero for one that has not failed.
	State State `json:"state"`
	// Failures is how often it has failed since it was published, or since an operator had it tried again.
	Failures int `json:"failures"`
	// NextAt is when it is tried again, unless it is parked.
	NextAt time.Time `json:"next_at,omitzero"`
	// FailedAt, Reason and LastError are those of its last failure.
	FailedAt  time.Time `json:"failed_at,omitzero"`
	Reason    Reason    `json:"reason,omitempty"`
	LastError string    `json:"last_error,omitempty"`

	// Version, Headers and Payload are what it says; List leaves them out. Where its envelope cannot be read, Version is 0
	// and Envelope holds it.
	Version  int             `json:"version,omitempty"`
	Headers  message.Headers `json:"headers,omitempty"`
	Payload  []byte          `json:"-"`
	Envelope []byte          `json:"-"`
}

// MarshalJSON writes the message as one object. Its payload is JSON too: as it is where it was JSON, otherwise the member
// payload_base64.
func (s Stored) MarshalJSON() ([]byte, error) {
	type plain Stored
	out := struct {
		plain
		Payload json.RawMessage `json:"payload,omitempty"`
		Raw     string          `json:"payload_base64,omitempty"`
		Sealed  string          `json:"envelope_base64,omitempty"`
	}{plain: plain(s), Sealed: base64.StdEncoding.EncodeToString(s.Envelope)}
	if json.Valid(s.Payload) {
		out.Payload = s.Payload
	} else {
		out.Raw = base64.StdEncoding.EncodeToString(s.Payload)
	}
	return json.Marshal(out)
}

// position is a message's place in the order of lists.
type position struct {
	dest int32
	lane int16
	id   int64
}

// found is a message and its place.
type found struct {
	Stored
	position
}

// What a message is read from: its place and its destination, what it is, and what became of it; and what it says.
const (
	storedColumns = "m.dest, m.lane, m.id, n.name, m.msg_id, m.topic, m.key, m.created_at," +
		" r.parked, r.attempts, r.next_at, r.failed_at, r.reason, r.last_error"
	saidColumns = ", m.headers, m.payload"
)

var (
	storedTypes = types(tDest, tSmall, tInt, tText, tUUID, tText, tText, tTime, tBool, tDest, tTime, tTime, tText, tText)
	saidTypes   = append(storedTypes[:len(storedTypes):len(storedTypes)], tBytes, tBytes)
)

// readStored reads a message, of which what it says may be missing.
func readStored(row []value.Value) found {
	p := position{int32(row[0].Int()), int16(row[1].Int()), row[2].Int()}
	s := Stored{
		ID: p.id, Lane: int(p.lane), Destination: row[3].Str(), MessageID: row[4].UUID(), Topic: row[5].Str(), Key: textOf(row[6]),
		CreatedAt: row[7].Time(), State: Waiting,
	}
	if !row[8].IsNull() {
		s.State = Retrying
		s.Failures, s.NextAt, s.FailedAt = int(row[9].Int()), row[10].Time(), row[11].Time()
		s.Reason, s.LastError = Reason(row[12].Str()), row[13].Str()
		if row[8].Bool() {
			s.State, s.NextAt = Parked, time.Time{}
		}
	}
	if len(row) > len(storedTypes) {
		s.say([]byte(row[14].Str()), []byte(row[15].Str()))
	}
	return found{s, p}
}

func textOf(v value.Value) string {
	if v.IsNull() {
		return ""
	}
	return v.Str()
}

// say adds what the message says.
func (s *Stored) say(envelope, payload []byte) {
	s.Payload = payload
	e, err := message.Unseal(envelope)
	if err != nil {
		s.Envelope = envelope
		return
	}
	s.Version, s.Headers = e.Version, e.Headers
}
